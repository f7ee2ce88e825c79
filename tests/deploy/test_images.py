"""The images are made of what exists, and of enough; there is no engine here to build them."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

from topshelf.settings import PREFIX, Settings

ROOT = Path(__file__).parents[2]
READER, WORKER = (ROOT / "deploy" / f"{name}.Dockerfile" for name in ("reader", "worker"))
PACKAGES = {path.parent.name for path in ROOT.glob("*/py.typed")}
EVERY_IMAGE = pytest.mark.parametrize("image", [READER, WORKER], ids=lambda path: path.stem)


def copied(image: Path) -> list[str]:
    lines = re.findall(r"^COPY (?!--from)(.+)$", image.read_text(), re.MULTILINE)
    return [source for line in lines for source in line.split()[:-1]]


@EVERY_IMAGE
def test_an_image_is_made_of_what_exists_and_is_sent_to_the_engine(image: Path) -> None:
    sent = (ROOT / ".dockerignore").read_text().splitlines()
    assert sent[0] == "*"
    for source in copied(image):
        assert (ROOT / source).exists()
        assert f"!{source}" in sent


def test_nothing_is_sent_to_the_engine_that_no_image_takes() -> None:
    sent = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    assert sent == {*copied(READER), *copied(WORKER)}


def test_every_package_is_in_an_image() -> None:
    assert {*copied(READER), *copied(WORKER)} >= PACKAGES
    assert PACKAGES - set(copied(WORKER)) == {"api"}


@EVERY_IMAGE
def test_the_extras_of_an_image_exist(image: Path) -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    [wanted] = re.findall(r"^ARG EXTRAS=(.+)$", image.read_text(), re.MULTILINE)
    assert set(wanted.split(",")) <= extras.keys()


def test_the_compose_file_asks_for_the_extras_the_image_has_by_default() -> None:
    [wanted] = re.findall(r"^ARG EXTRAS=(.+)$", WORKER.read_text(), re.MULTILINE)
    worker = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]["worker"]
    assert worker["build"]["args"]["EXTRAS"] == f"${{WORKER_EXTRAS:-{wanted}}}"


@EVERY_IMAGE
def test_an_image_runs_as_nobody_special_on_settings_that_exist(image: Path) -> None:
    text = image.read_text()
    assert re.findall(r"^USER (\w+)$", text, re.MULTILINE) == ["topshelf"]
    given = dict(re.findall(rf"({PREFIX}\w+)=(\S+)", text))
    assert given
    Settings.from_environment(given)


@EVERY_IMAGE
def test_a_volume_belongs_to_the_user_that_writes_it(image: Path) -> None:
    text = image.read_text()
    [volume] = re.findall(r"^VOLUME (\S+)$", text, re.MULTILINE)
    assert volume in re.findall(r"install -d -o topshelf (.+)$", text, re.MULTILINE)[0].split()
    assert f"_DIR={volume}" in text


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
