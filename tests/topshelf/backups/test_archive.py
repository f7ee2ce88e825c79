"""The file of a backup: whole or refused."""

import io
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from topshelf.backups.archive import FORMAT, MANIFEST, BackupManifest, check, extract, writing
from topshelf.errors import CorruptBackup, LaterVersion

CONTENT = b"0123456789" * 100_000


def manifest_of(files: dict[str, str], format_number: int = FORMAT) -> BackupManifest:
    return BackupManifest(
        format=format_number,
        created="2026-01-01T00:00:00+00:00",
        code_version="1",
        key_prefix="ts:",
        n_keys=0,
        live=(),
        files=files,
    )


def written(folder: Path, format_number: int = FORMAT) -> Path:
    source = folder / "source"
    source.write_bytes(CONTENT)
    with writing(folder / "backup.tar") as archive:
        archive.add("files/a/one", source)
        archive.add("files/a/two", source)
        archive.close(manifest_of(archive.files, format_number))
    return folder / "backup.tar"


def test_what_is_extracted_is_what_was_added(tmp_path: Path) -> None:
    file = written(tmp_path)
    extract(file, check(file), tmp_path / "out")
    assert [(tmp_path / "out/files/a" / name).read_bytes() for name in ("one", "two")] == [CONTENT, CONTENT]


def test_a_backup_is_for_its_owner_alone_and_leaves_nothing_half_written(tmp_path: Path) -> None:
    assert written(tmp_path).stat().st_mode & 0o777 == 0o600
    with pytest.raises(FileNotFoundError), writing(tmp_path / "other.tar") as archive:
        archive.add("files/gone", tmp_path / "gone")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["backup.tar", "source"]


def test_of_a_file_that_grows_there_is_what_was_there_at_the_beginning(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_bytes(b"first\n")
    with source.open("ab") as growing, writing(tmp_path / "backup.tar") as archive:
        archive.add("files/log", source)
        growing.write(b"second\n")
        archive.close(manifest_of(archive.files))
    extract(tmp_path / "backup.tar", check(tmp_path / "backup.tar"), tmp_path / "out")
    assert (tmp_path / "out/files/log").read_bytes() == b"first\n"


def test_what_is_left_out_in_the_end_is_not_extracted(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_bytes(CONTENT)
    with writing(tmp_path / "backup.tar") as archive:
        archive.add("files/datasets/v1/a", source)
        archive.add("files/datasets/v10/a", source)
        archive.leave_out("files/datasets/v1")
        archive.close(manifest_of(archive.files))
    extract(tmp_path / "backup.tar", check(tmp_path / "backup.tar"), tmp_path / "out")
    assert [path.name for path in (tmp_path / "out/files/datasets").iterdir()] == ["v10"]


def cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


def cut_before_the_manifest(file: Path) -> None:
    content = file.read_bytes()
    file.write_bytes(content[: content.rindex(MANIFEST.encode())])


def flip_a_byte(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[len(CONTENT) // 2] ^= 1
    file.write_bytes(content)


def empty(file: Path) -> None:
    file.write_bytes(b"")


def put_text(file: Path) -> None:
    file.write_text("this is no backup\n" * 1_000)


def put_a_strange_member(file: Path) -> None:
    with tarfile.open(file, "a") as tar:
        info = tarfile.TarInfo("../../etc/cron.d/job")
        info.size = 1
        tar.addfile(info, io.BytesIO(b"x"))


def put_a_link(file: Path) -> None:
    with tarfile.open(file, "a") as tar:
        info = tarfile.TarInfo("files/link")
        info.type, info.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(info)


@pytest.mark.parametrize(
    "damage",
    [cut, cut_before_the_manifest, flip_a_byte, empty, put_text, put_a_strange_member, put_a_link],
)
def test_a_damaged_backup_is_refused(tmp_path: Path, damage: Callable[[Path], None]) -> None:
    file = written(tmp_path)
    check(file)
    damage(file)
    with pytest.raises(CorruptBackup, match="nothing was restored"):
        check(file)


def test_a_later_format_is_refused_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(LaterVersion, match="upgrade first"):
        check(written(tmp_path, FORMAT + 1))
