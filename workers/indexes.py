"""Search indexes on disk, beside the artifacts they were built of."""

import hashlib
import tempfile
from collections.abc import Collection
from functools import lru_cache
from pathlib import Path

import numpy as np

from models.ranking.graph_index import InnerProductIndex
from topshelf.errors import ArtifactNotFound

NAME_DIGITS = 12


class Indexes:
    """The indexes in ``root``, each a file named for its artifact and its content."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def save(self, artifact: str, index: InnerProductIndex) -> str:
        """Keep an index; returns its name. What has this name never changes."""
        content = index.to_array()
        name = f"{artifact}-{hashlib.sha256(content.tobytes()).hexdigest()[:NAME_DIGITS]}"
        self.root.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=self.root, prefix=".building-", delete=False) as file:
            np.save(file, content, allow_pickle=False)
        written = Path(file.name)
        written.chmod(0o644)
        written.rename(self._path(name))
        return name

    def load(self, name: str) -> InnerProductIndex:
        """An index, kept in this process until another one is asked for.

        Raises:
            ArtifactNotFound: it is not on this host's disk.
            CorruptArtifact: it cannot be read.
        """
        return _load(self._path(name))

    def drop_unused(self, model: str, used: Collection[str]) -> None:
        """Remove the indexes of a model's artifacts that are not ``used``."""
        for path in self.root.glob(f"{model}-*.npy"):
            if path.stem not in used:
                path.unlink(missing_ok=True)

    def _path(self, name: str) -> Path:
        return self.root / f"{name}.npy"


@lru_cache(maxsize=1)
def _load(path: Path) -> InnerProductIndex:
    try:
        content = np.load(path, allow_pickle=False)
    except OSError as error:
        raise ArtifactNotFound(f"the index of a search cannot be read: {error}; run the job again") from error
    return InnerProductIndex.from_array(content)
