"""All dataset versions below one folder."""

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import polars as pl

from interactions.assembly import assemble, checked_rows, id_rules
from interactions.columns import TIMESTAMP
from interactions.dataset import MANIFEST_FILE, Dataset
from interactions.extension import extended_tables
from interactions.manifest import DatasetManifest, Feedback
from interactions.version_files import (
    VersionContent,
    building_folder,
    category_names,
    file_checks,
    publish_folder,
    read_manifest,
    remove_folder,
    verify_files,
    write_files,
)
from topshelf.errors import CorruptDataset, DatasetNotFound

VERSION: Final = re.compile(r"\d{8}T\d{6}Z-[0-9a-f]{8}")


class Datasets:
    """The dataset versions in ``root``, each a folder ``<created>-<first 8 hex digits of its content>``."""

    def __init__(self, root: Path) -> None:
        self.root = Path(root)

    def create(
        self,
        frame: pl.DataFrame,
        *,
        rejects: pl.DataFrame | None = None,
        items: pl.DataFrame | None = None,
        users: pl.DataFrame | None = None,
        user_id_type: str = "auto",
        item_id_type: str = "auto",
        user_id_max: int | None = None,
        feedback: Feedback = "implicit",
        source: str = "",
        parent: str | None = None,
        has_timestamps: bool = True,
    ) -> Dataset:
        """Write a version holding ``frame``, or return the one that says the same already.

        ``frame`` has user_id and item_id (integers or strings) and may have timestamp (dates or datetimes,
        naive ones in UTC), weight and event_id. ``items`` has item_id and may have title, categories (lists
        of strings) and features; ``users`` has user_id and features. Only ids that interact are indexed,
        in ascending order. ``has_timestamps`` False says that the times only keep the rows' order.

        Raises:
            MissingColumn, EmptyData, InvalidId, DataError: when the tables are not fit; nothing is written.
        """
        rules = id_rules(frame, user_id_type, item_id_type, user_id_max)
        rows = checked_rows(frame, rules)
        timed = has_timestamps and TIMESTAMP in frame.columns
        content = assemble(rows, items=items, users=users, rejects=rejects, feedback=feedback)
        facts = {
            "n_users": content.users.height,
            "n_items": content.items.height,
            "n_interactions": content.interactions.height,
            "n_rejects": 0 if rejects is None else rejects.height,
            "user_id_type": rules.user_kind,
            "item_id_type": rules.item_kind,
            "user_id_max": user_id_max,
            "feedback": feedback,
            "has_timestamps": timed,
            "cut_off": _iso(content.interactions[TIMESTAMP].max()),
            "density": content.matrix.nnz / (content.users.height * content.items.height),
            "source": source,
            "content": content.digest(rules, feedback, timed),
            "category_names": category_names(content.items),
            "parent": parent,
        }
        return self._same_content(facts["content"]) or self._write(content, facts)

    def open(self, version: str, *, verify: bool = False) -> Dataset:
        """The version of this name, its manifest and files' sizes checked; their checksums too on ``verify``.

        Raises:
            DatasetNotFound: when there is no such version; the message names the newest.
            CorruptDataset: when a file is missing or not what the manifest says.
        """
        folder = self.root / version
        if not VERSION.fullmatch(version) or not folder.is_dir():
            newest = next(iter(self._names()), None)
            hint = f"; the newest is {newest}" if newest else ", nor any other"
            raise DatasetNotFound(f"there is no dataset version {version!r} in {self.root}{hint}")
        manifest = read_manifest(folder)
        verify_files(folder, manifest, checksums=verify)
        return Dataset(folder, manifest)

    def latest(self) -> Dataset:
        """The version created last.

        Raises:
            DatasetNotFound: when there is none yet.
        """
        manifests = self.versions()
        if not manifests:
            raise DatasetNotFound(f"there is no dataset in {self.root} yet; ingest one first")
        return self.open(manifests[0].version)

    def versions(self) -> list[DatasetManifest]:
        """All manifests, the newest first: by creation, then by cut-off.

        Raises:
            CorruptDataset: when a version's manifest cannot be read.
        """
        manifests = [read_manifest(self.root / name) for name in self._names()]
        return sorted(manifests, key=lambda manifest: (manifest.created, manifest.cut_off), reverse=True)

    def remove(self, version: str) -> None:
        """Take a version off the disk; out of sight first, so that nobody finds half of one."""
        remove_folder(self.root / version)

    def extend(self, base: Dataset, events: pl.DataFrame) -> Dataset:
        """A version of the rows of ``base`` and those ``events`` it does not hold yet, by event id.

        ``events`` has event_id, user_id, item_id, timestamp (ISO text or datetimes) and weight. Events that
        cannot be used join the rejects, with a reason. Where nothing is new, ``base`` is returned.
        """
        tables = extended_tables(base, events)
        if tables is None:
            return base
        held = base.manifest
        return self.create(
            tables.frame,
            rejects=tables.rejects,
            items=tables.items,
            users=tables.users,
            user_id_type=held.user_id_type,
            item_id_type=held.item_id_type,
            user_id_max=held.user_id_max,
            feedback=held.feedback,
            source=held.source,
            parent=base.version,
        )

    def _names(self) -> list[str]:
        if not self.root.is_dir():
            return []
        return sorted(
            (path.name for path in self.root.iterdir() if VERSION.fullmatch(path.name)), reverse=True
        )

    def _same_content(self, content: Any) -> Dataset | None:
        for name in self._names():
            if not name.endswith(content[:8]):
                continue
            try:
                dataset = self.open(name, verify=True)
            except CorruptDataset:
                continue
            if dataset.manifest.content == content:
                return dataset
        return None

    def _write(self, content: VersionContent, facts: dict[str, Any]) -> Dataset:
        created = datetime.now(UTC)
        version = f"{created:%Y%m%dT%H%M%SZ}-{facts['content'][:8]}"
        with building_folder(self.root) as folder:
            write_files(folder, content)
            checksums, sizes = file_checks(folder)
            manifest = DatasetManifest(
                version=version, created=_iso(created), checksums=checksums, sizes=sizes, **facts
            )
            (folder / MANIFEST_FILE).write_text(manifest.model_dump_json(indent=2), encoding="utf-8")
            try:
                publish_folder(folder, self.root / version)
            except FileExistsError:
                return self.open(version)
        return Dataset(self.root / version, manifest)


def _iso(moment: Any) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%S.%f}Z"
