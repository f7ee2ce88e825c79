"""The runbook: every command in it is run, every alert has its heading."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from store.embedded import free_port
from tests.system.running import System
from tests.waiting import wait_until
from tests.workers.filling import taste_dataset
from workers.celery_app import create_app
from workers.dispatch import Dispatcher
from workers.pipelines import start_pipelines
from workers.runtime import Runtime

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "operations.md"
ALERTS = ROOT / "deploy" / "prometheus" / "alerts.yml"

BLOCK = re.compile(r"^```(.*)\n((?:.*\n)*?)```$", re.MULTILINE)
NOT_RUN_HERE = {
    "no-run": ("Add a GPU worker", "Add readers", "Backup and restore", "Backup and restore"),
    "console": ("Tokens and passwords", "Upgrade with two versions live"),
}
"""Where blocks stand that want a GPU, Docker or Kubernetes, or are transcripts."""
TIMEOUT_SECONDS = 400
DRILL_PORT = "6398"


def blocks() -> Iterator[tuple[str, str, str]]:
    """Heading, kind and text of every fenced block, in order."""
    text = PAGE.read_text()
    for block in BLOCK.finditer(text):
        yield re.findall(r"^#+ (.*)$", text[: block.start()], re.MULTILINE)[-1], block[1], block[2]


def anchor(heading: str) -> str:
    return re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")


def test_blocks_that_are_not_run_are_known() -> None:
    found = {kind: [] for kind in ("no-run", "console")}  # type: dict[str, list[str]]
    for heading, kind, _ in blocks():
        if kind != "sh":
            found[kind.removeprefix("sh ")].append(heading)
    assert {kind: tuple(headings) for kind, headings in found.items()} == NOT_RUN_HERE


def test_every_link_leads_to_a_heading_or_a_file() -> None:
    text = PAGE.read_text()
    anchors = {anchor(heading) for heading in re.findall(r"^#+ (.*)$", text, re.MULTILINE)}
    for target in re.findall(r"\]\(([^)]+)\)", text):
        assert target[1:] in anchors if target.startswith("#") else (PAGE.parent / target).exists(), target


def test_every_alert_has_its_heading_and_every_heading_its_alert() -> None:
    rules = [rule for group in yaml.safe_load(ALERTS.read_text())["groups"] for rule in group["rules"]]
    text = PAGE.read_text()
    told = re.findall(r"^### (Topshelf\w+)$", text, re.MULTILINE)
    assert sorted(told) == sorted(rule["alert"] for rule in rules)
    for rule in rules:
        assert rule["annotations"]["runbook_url"].endswith(f"docs/operations.md#{anchor(rule['alert'])}")


@pytest.fixture
def system(tmp_path: Path) -> Iterator[System]:
    """A running ``topshelf up`` with two live models of a small dataset."""
    running = System(tmp_path)
    try:
        running.wait_until_up()
        runtime = Runtime(running.settings)
        app = create_app(running.settings)
        models = ("popular", "item_knn")
        dataset = taste_dataset(runtime, 400).version
        job_ids = start_pipelines(runtime, Dispatcher(app), run="first", models=models, dataset=dataset)
        wait_until(
            lambda: all(runtime.jobs.get(job_id).over for job_id in job_ids), "both models stocked", 120
        )
        app.close()
        yield running
    finally:
        running.stop()


@pytest.mark.timeout(TIMEOUT_SECONDS)
def test_the_commands_of_the_runbook_do_what_it_says(system: System, tmp_path: Path) -> None:
    script = "set -euo pipefail\n" + "\n".join(text for _, kind, text in blocks() if kind == "sh")
    assert DRILL_PORT in script
    script = script.replace(DRILL_PORT, str(free_port()))
    tokens = json.loads((system.settings.data_dir / "credentials.json").read_text())
    environ = system.environ | {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "API": f"http://127.0.0.1:{system.settings.api_port}",
        "TOKEN": tokens["admin"],
    }
    done = subprocess.run(
        ["bash", "-x", "-c", script],
        env=environ,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "popular: released" in done.stdout
    assert "these jobs stock the models again" in done.stdout
    assert list((tmp_path / "backups").glob("*.tar"))
