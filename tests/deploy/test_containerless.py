"""What the tests of services stand on: a command that may write in one folder alone."""

import subprocess
from pathlib import Path

import pytest

from tests.deploy.composed import ROOT
from tests.deploy.containerless import confined


def run(scratch: Path, script: str) -> subprocess.CompletedProcess[str]:
    behind = confined(scratch)
    if not behind:
        pytest.skip("no mount namespace can be had here")
    return subprocess.run([*behind, "sh", "-c", script], capture_output=True, text=True, check=False)


def test_a_confined_command_writes_in_its_folder(tmp_path: Path) -> None:
    assert run(tmp_path, f"echo here > {tmp_path}/file").returncode == 0
    assert (tmp_path / "file").read_text() == "here\n"


@pytest.mark.parametrize("place", [ROOT, Path("/tmp"), Path.home(), Path("/var/tmp")], ids=str)  # noqa: S108
def test_a_confined_command_writes_nowhere_else(tmp_path: Path, place: Path) -> None:
    refused = run(tmp_path, f"echo there > {place}/topshelf-test-confined")
    assert refused.returncode != 0
    assert not (place / "topshelf-test-confined").exists()


def test_a_confined_command_has_no_capability(tmp_path: Path) -> None:
    held = run(tmp_path, "grep -E 'Cap(Eff|Prm|Bnd)' /proc/self/status").stdout.split()
    assert {int(word, 16) for word in held[1::2]} == {0}
