"""The demo's data: MovieLens-100K out of the ``recbole`` wheel, or synthetic data where there is no registry.

The GroupLens data set may be used for research under its own terms; it is fetched, never shipped.
"""

import hashlib
import subprocess
import sys
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from interactions.kion_files import write_kion
from interactions.synthetic import SyntheticShape, generate
from topshelf.errors import UnreadableFile

REQUIREMENT = "recbole==1.2.1"
WHEEL = "recbole-1.2.1-py3-none-any.whl"
FOLDER_IN_WHEEL = "recbole/dataset_example/ml-100k/"
CHECKSUMS = {
    "ml-100k.inter": "4edb74e2a81178c2ba9ff381495f754f996c4aea351b1272ca36b43da0935eff",
    "ml-100k.item": "51d7cdf777ce5c0f5b32c1d947a4a81fe07d75e78abbe761e0cd4d0756064532",
    "ml-100k.user": "4f670007d9cfbeb9807e757209af1555b9bcc186bde25e767f67cb67c6dd5972",
}
FETCH_SECONDS = 120
SYNTHETIC = SyntheticShape.of_users(5_000)


@dataclass(frozen=True)
class DemoData:
    """A folder to ingest and the preset that reads it."""

    folder: Path
    preset: str


def demo_data(cache_dir: Path, say: Callable[[str], None]) -> DemoData:
    """MovieLens-100K from the cache or the package index; synthetic data where neither has it."""
    folder = cache_dir / "ml-100k"
    if not _is_whole(folder):
        try:
            _fetch(folder)
        except UnreadableFile as error:
            say(f"MovieLens-100K cannot be had ({error}); the demo runs on synthetic data instead")
            return _synthetic(cache_dir)
    return DemoData(folder, "movielens-100k")


def _fetch(folder: Path) -> None:
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        subprocess.run(  # noqa: S603 -- argv is ours
            [*command, "--retries=1", "--no-deps", "--only-binary=:all:", f"--dest={folder}", REQUIREMENT],
            check=True,
            timeout=FETCH_SECONDS,
            capture_output=True,
            text=True,
        )
        with zipfile.ZipFile(folder / WHEEL) as wheel:
            for name in CHECKSUMS:
                (folder / name).write_bytes(wheel.read(FOLDER_IN_WHEEL + name))
    except subprocess.TimeoutExpired as error:
        raise UnreadableFile("the package index does not answer") from error
    except subprocess.CalledProcessError as error:
        raise UnreadableFile(f"pip cannot fetch {REQUIREMENT}") from error
    except (OSError, KeyError, zipfile.BadZipFile) as error:
        raise UnreadableFile(f"the {REQUIREMENT} wheel is not what it was: {error}") from error
    if not _is_whole(folder):
        raise UnreadableFile(f"the files of {REQUIREMENT} do not match their checksums")


def _is_whole(folder: Path) -> bool:
    return all(
        (folder / name).is_file() and hashlib.sha256((folder / name).read_bytes()).hexdigest() == checksum
        for name, checksum in CHECKSUMS.items()
    )


def _synthetic(cache_dir: Path) -> DemoData:
    folder = cache_dir / "synthetic"
    folder.mkdir(parents=True, exist_ok=True)
    write_kion(generate(SYNTHETIC), folder)
    return DemoData(folder, "kion")
