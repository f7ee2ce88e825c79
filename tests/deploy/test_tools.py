"""The services beside ours that can be installed here: MLflow, Bugsink, Prometheus."""

import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import pytest
import yaml

from tests.deploy.composed import ROOT, services
from tests.deploy.conftest import Launch
from tests.deploy.containerless import confined

BUGSINK = Path(os.environ.get("TOPSHELF_TEST_BUGSINK", Path(sys.prefix) / "bugsink")) / "bin"


def get(port: int, path: str, host: str = "127.0.0.1") -> tuple[int, str]:
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", headers={"Host": host})
    with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310 -- our own address
        return answer.status, answer.read().decode()


@pytest.mark.tools
@pytest.mark.timeout(400)
@pytest.mark.skipif(importlib.util.find_spec("mlflow") is None, reason="the extra track is not installed")
def test_mlflow_serves_the_workers_by_its_name_in_the_network(launch: Launch) -> None:
    service = launch("mlflow")
    service.wait_until_healthy()
    port = service.ports[5000]
    status, found = get(port, "/api/2.0/mlflow/experiments/search?max_results=1", f"mlflow:{port}")
    assert (status, len(json.loads(found)["experiments"])) == (200, 1)
    with pytest.raises(urllib.error.HTTPError) as refused:
        get(port, "/api/2.0/mlflow/experiments/search?max_results=1", "elsewhere.example.org")
    assert refused.value.code == 403
    refused.value.close()
    assert service.stop() in {0, -15}, service.said()


@pytest.mark.tools
@pytest.mark.timeout(400)
@pytest.mark.skipif(not BUGSINK.is_dir(), reason=f"Bugsink is not installed in {BUGSINK.parent}")
def test_bugsink_answers_by_its_name_in_the_network_and_has_its_first_user(
    prepare: Launch, tmp_path: Path
) -> None:
    environ = {"PATH": f"{BUGSINK}{os.pathsep}{os.environ['PATH']}", "PYTHONPATH": str(tmp_path)}
    template = [str(BUGSINK / "bugsink-create-conf"), "--template=docker"]
    subprocess.run(template, cwd=tmp_path, check=True, capture_output=True)
    service = prepare("bugsink", {}, environ)
    settings = tmp_path / "bugsink_conf.py"
    text = re.sub(r"'(/tmp|/data)/", lambda found: f"'{service.local(found[1])}/", settings.read_text())
    wakeup = f'SNAPPEA["WAKEUP_CALLS_DIR"] = "{service.local("/tmp")}/wakeup"\n'  # noqa: S108
    settings.write_text(text + wakeup)
    service.start(behind=confined(service.log.parent))
    service.wait_until_healthy()
    assert "/accounts/login/" in get(service.ports[8000], "/accounts/login/", "bugsink")[1]
    assert "Superuser created: admin@example.org" in service.said()
    assert service.stop() in {0, -15}, service.said()


@pytest.mark.skipif(shutil.which("prometheus") is None, reason="prometheus is not installed")
def test_prometheus_starts_on_the_configuration_of_the_project(launch: Launch) -> None:
    service = launch("prometheus")
    service.wait_until_healthy()
    rules = json.loads(get(service.ports[9090], "/api/v1/rules")[1])["data"]["groups"]
    assert {group["name"] for group in rules} >= {"topshelf-serving", "topshelf-store"}
    assert service.stop() == 0, service.said()


def test_prometheus_asks_services_that_are_there_on_ports_that_they_have() -> None:
    configuration = yaml.safe_load((ROOT / "deploy/prometheus/prometheus.yml").read_text())
    asked = {
        (name, lookup["port"])
        for job in configuration["scrape_configs"]
        for lookup in job["dns_sd_configs"]
        for name in lookup["names"]
    }
    assert asked == {
        ("api", 8000),
        ("reader", 8000),
        ("worker", 9541),
        ("worker-gpu", 9541),
        ("exporter", 9540),
    }
    watched = services()["prometheus"]["networks"]
    assert not [name for name, _ in asked if not {*watched} & {*services()[name]["networks"]}]


def test_grafana_finds_what_it_is_provisioned_with_and_prometheus() -> None:
    service = services()["grafana"]
    [mounted] = [
        volume.split(":")[1] for volume in service["volumes"] if volume.startswith("./deploy/grafana:")
    ]
    assert service["environment"]["GF_PATHS_PROVISIONING"] == f"{mounted}/provisioning"
    provisioning = ROOT / "deploy/grafana/provisioning"
    [source] = yaml.safe_load((provisioning / "datasources/prometheus.yml").read_text())["datasources"]
    assert source["url"] == "http://prometheus:9090"
    [provider] = yaml.safe_load((provisioning / "dashboards/topshelf.yml").read_text())["providers"]
    folder = Path(provider["options"]["path"])
    assert list((ROOT / "deploy/grafana" / folder.relative_to(mounted)).glob("*.json"))


def test_mlflow_is_of_the_version_that_was_tested() -> None:
    assert "\nmlflow==" in (ROOT / "constraints.txt").read_text()
    assert "--constraint constraints.txt mlflow" in (ROOT / "deploy/mlflow.Dockerfile").read_text()
