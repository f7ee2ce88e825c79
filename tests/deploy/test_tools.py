"""The services beside ours that can be installed here: MLflow, Bugsink, Prometheus."""

import importlib.util
import json
import os
import shutil
import subprocess
import sys
import urllib.parse
import urllib.request
from pathlib import Path

import pytest

from tests.deploy.composed import ROOT, services
from tests.deploy.conftest import Launch
from topshelf.settings import process_environment

BUGSINK = Path(os.environ.get("TOPSHELF_TEST_BUGSINK", Path(sys.prefix) / "bugsink")) / "bin"


def get(port: int, path: str, host: str = "127.0.0.1") -> tuple[int, str]:
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", headers={"Host": host})
    with urllib.request.urlopen(request, timeout=10) as answer:
        return answer.status, answer.read().decode()


@pytest.mark.skipif(importlib.util.find_spec("mlflow") is None, reason="the extra track is not installed")
def test_mlflow_serves_the_workers_by_its_name_in_the_network(launch: Launch) -> None:
    service = launch("mlflow")
    service.wait_until_healthy()
    port = service.ports[5000]
    status, found = get(port, "/api/2.0/mlflow/experiments/search?max_results=1", f"mlflow:{port}")
    assert (status, len(json.loads(found)["experiments"])) == (200, 1)
    with pytest.raises(urllib.request.HTTPError) as refused:
        get(port, "/api/2.0/mlflow/experiments/search?max_results=1", "elsewhere.example.org")
    assert refused.value.code == 403
    refused.value.close()
    assert service.stop() in {0, -15}, service.said()


@pytest.mark.skipif(not BUGSINK.is_dir(), reason=f"Bugsink is not installed in {BUGSINK.parent}")
def test_bugsink_takes_what_is_reported_by_its_name_in_the_network(launch: Launch, tmp_path: Path) -> None:
    environ = {"PATH": f"{BUGSINK}{os.pathsep}{os.environ['PATH']}", "PYTHONPATH": str(tmp_path)}
    template = [BUGSINK / "bugsink-create-conf", "--template=docker"]
    subprocess.run(template, cwd=tmp_path, check=True, capture_output=True)
    service = launch("bugsink", {}, environ)
    settings = tmp_path / "bugsink_conf.py"
    for folder in ("/tmp", "/data"):  # noqa: S108 -- where the container has them
        settings.write_text(settings.read_text().replace(f"'{folder}/", f"'{service.local(folder)}/"))
    service.wait_until_healthy()
    assert "/accounts/login/" in get(service.ports[8000], "/accounts/login/", "bugsink")[1]
    assert "Superuser created: admin@example.org" in service.said()
    assert service.stop() in {0, -15}, service.said()


@pytest.mark.skipif(shutil.which("prometheus") is None, reason="prometheus is not installed")
def test_prometheus_starts_on_the_configuration_of_the_project(launch: Launch) -> None:
    service = launch("prometheus")
    service.wait_until_healthy()
    scraped = json.loads(get(service.ports[9090], "/api/v1/targets?state=active")[1])
    assert scraped["status"] == "success"
    assert service.stop() == 0, service.said()


def test_the_servers_are_of_the_versions_that_were_tested() -> None:
    pinned = dict(line.split("==") for line in (ROOT / "constraints.txt").read_text().split() if "==" in line)
    assert "mlflow" in pinned
    assert "--constraint constraints.txt mlflow" in (ROOT / "deploy/mlflow.Dockerfile").read_text()
