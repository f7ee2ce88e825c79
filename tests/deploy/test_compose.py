"""The compose file: what compose and its schema make of it, and what each service may do."""

import json
import os
import re
import shutil
import subprocess
from importlib import resources
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from tests.deploy.composed import FILE, ROOT, Service, compose_file, is_ours, services
from topshelf.settings import PREFIX, Settings

SMALL = {"redis-serving", "redis-durable", "api", "worker", "beat", "flower"}
PROFILES = {
    "gpu": {"worker-gpu"},
    "scaled": {"reader", "front"},
    "monitoring": {"exporter", "prometheus", "grafana"},
    "tracking": {"mlflow"},
    "errors": {"bugsink"},
}
SERVICES = services()
EVERY_SERVICE = pytest.mark.parametrize("name", sorted(SERVICES))
OURS = sorted(name for name, service in SERVICES.items() if is_ours(service))
EVERY_SERVICE_OF_OURS = pytest.mark.parametrize("name", OURS)


def config(folder: Path, *options: str, **environ: str) -> dict[str, Any]:
    """What ``docker-compose config`` makes of the file in a folder without a ``.env``."""
    command = shutil.which("docker-compose")
    if command is None:
        pytest.skip("docker-compose is not installed")
    done = subprocess.run(
        [command, "--file", str(FILE), "--project-directory", str(ROOT), *options, "config"],
        cwd=folder,
        env={"PATH": os.environ["PATH"], **environ},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    loaded: dict[str, Any] = yaml.safe_load(done.stdout)
    return loaded


def test_the_schema_of_compose_accepts_the_file() -> None:
    vendored = resources.files("check_jsonschema") / "builtin_schemas" / "vendor" / "compose-spec.json"
    schema = json.loads(vendored.read_text())
    for document in (yaml.safe_load(FILE.read_text()), compose_file()):
        jsonschema.validate(document, schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(compose_file() | {"services": {"api": {"restarts": "always"}}}, schema)


def test_compose_accepts_the_file_with_every_profile(tmp_path: Path) -> None:
    profiles = [word for profile in PROFILES for word in ("--profile", profile)]
    assert config(tmp_path, *profiles)["services"].keys() == SERVICES.keys()


def test_compose_reads_the_file_as_these_tests_do(tmp_path: Path) -> None:
    found = config(tmp_path)["services"]
    for name, service in SERVICES.items():
        assert found[name].get("environment", {}) == service.get("environment", {})
        assert found[name].get("command") == service.get("command")


def test_every_setting_of_the_example_is_one_of_the_file(tmp_path: Path) -> None:
    example = (ROOT / "deploy/example.env").read_text()
    names = re.findall(r"^#?([A-Z_]+)=", example, re.MULTILINE)
    assert set(names) <= set(re.findall(r"\$\{(\w+)", FILE.read_text()))
    (tmp_path / ".env").write_text(re.sub(r"^#([A-Z_]+=)", r"\1", example, flags=re.MULTILINE))
    command = shutil.which("docker-compose")
    if command is None:
        pytest.skip("docker-compose is not installed")
    shutil.copy(FILE, tmp_path)
    done = subprocess.run([command, "config"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_small_set_starts_alone() -> None:
    assert {name for name, service in SERVICES.items() if "profiles" not in service} == SMALL


def test_everything_else_has_one_profile() -> None:
    assert {
        profile: {name for name, service in SERVICES.items() if service.get("profiles") == [profile]}
        for profile in PROFILES
    } == PROFILES
    assert set().union(SMALL, *PROFILES.values()) == SERVICES.keys()


def test_a_service_waits_for_nothing_that_its_profile_leaves_out() -> None:
    for name, service in SERVICES.items():
        for other in service.get("depends_on", ()):
            assert SERVICES[other].get("profiles", service.get("profiles")) == service.get("profiles"), name


@EVERY_SERVICE
def test_a_service_may_do_what_it_must_and_no_more(name: str) -> None:
    service = SERVICES[name]
    assert service["cap_drop"] == ["ALL"]
    assert "cap_add" not in service
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["read_only"] is True
    assert int(service["user"].partition(":")[0]) > 0
    assert not {"privileged", "network_mode", "pid", "ipc"} & service.keys()


@EVERY_SERVICE
def test_a_service_is_watched_restarted_and_bounded(name: str) -> None:
    service = SERVICES[name]
    assert service["restart"] == "unless-stopped"
    assert {"test", "interval", "timeout", "retries", "start_period"} == service["healthcheck"].keys()
    assert float(service["cpus"]) > 0
    assert re.fullmatch(r"\d+[mg]", service["mem_limit"])
    assert service["pids_limit"] > 0
    assert service["logging"]["options"].keys() == {"max-size", "max-file"}
    assert all("size=" in place for place in service["tmpfs"])
    assert re.fullmatch(r"\d+s", service["stop_grace_period"])


@EVERY_SERVICE
def test_an_image_of_somebody_else_is_pinned(name: str) -> None:
    image, _, tag = SERVICES[name]["image"].partition(":")
    built = "build" in SERVICES[name]
    assert built == image.startswith("topshelf-")
    assert built or re.fullmatch(r"v?\d+\.\d+\.\d+(-\w+)?", tag)


@EVERY_SERVICE
def test_what_a_service_mounts_is_there(name: str) -> None:
    for volume in SERVICES[name].get("volumes", ()):
        source, _, mode = volume.partition(":")
        if source.startswith("./"):
            assert (ROOT / source).is_dir(), volume
            assert mode.endswith(":ro")
        else:
            assert source in compose_file()["volumes"]


def test_every_volume_network_and_secret_is_used() -> None:
    loaded = compose_file()
    for kind in ("volumes", "networks", "secrets"):
        used = {str(use).partition(":")[0] for service in SERVICES.values() for use in service.get(kind, ())}
        assert {name for name in used if not name.startswith(".")} == loaded[kind].keys()


def test_only_loopback_ports_are_published() -> None:
    published = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}
    assert all(port.startswith("127.0.0.1:") for ports in published.values() for port in ports)
    assert published.keys() == {"api", "front", "flower", "prometheus", "grafana", "mlflow", "bugsink"}
    outside = [port.rsplit(":", 1)[0] for ports in published.values() for port in ports]
    assert len({*outside}) == len(outside)


def test_nobody_reaches_redis_but_what_reads_it_and_redis_reaches_nobody() -> None:
    networks = compose_file()["networks"]
    assert {name for name, network in networks.items() if network.get("internal")} == {"store", "figures"}
    assert {name for name, service in SERVICES.items() if "store" in service["networks"]} == {
        "redis-serving",
        "redis-durable",
        *OURS,
    }
    assert SERVICES["redis-serving"]["networks"] == SERVICES["redis-durable"]["networks"] == ["store"]


def test_each_secret_goes_only_to_the_service_that_needs_it() -> None:
    holders = {
        secret: {name for name, service in SERVICES.items() if secret in service.get("secrets", ())}
        for secret in compose_file()["secrets"]
    }
    readers, workers = {"api", "reader"}, {"worker", "worker-gpu", "beat", "flower", "exporter"}
    assert holders == {
        "redis_serving_password": {"redis-serving"},
        "redis_durable_password": {"redis-durable"},
        **dict.fromkeys(("serving_url", "durable_url", "sentry_dsn"), readers | workers),
        **dict.fromkeys(("tokens_read", "tokens_events", "tokens_admin"), readers),
        **dict.fromkeys(("neptune_token", "webhook_urls", "webhook_secret"), workers),
        "flower_password": {"flower"},
        "grafana_password": {"grafana"},
        "bugsink_secret_key": {"bugsink"},
        "bugsink_password": {"bugsink"},
    }


@EVERY_SERVICE
def test_a_service_reads_every_secret_it_is_given_and_no_other(name: str) -> None:
    named = re.findall(r"/run/secrets/(\w+)", yaml.safe_dump(SERVICES[name], width=1000))
    assert {*named} == {*SERVICES[name].get("secrets", ())}


def test_no_secret_stands_in_the_environment() -> None:
    secret = re.compile(r"PASSWORD|TOKEN|SECRET|DSN|KEY", re.IGNORECASE)
    for service in SERVICES.values():
        for variable, value in service.get("environment", {}).items():
            assert not secret.search(variable) or value.startswith("/run/secrets/"), variable


@EVERY_SERVICE_OF_OURS
def test_every_setting_of_a_service_exists_and_can_be_read(name: str, secrets_folder: Path) -> None:
    environ = {
        variable: value.replace("/run/secrets", str(secrets_folder))
        for variable, value in SERVICES[name]["environment"].items()
    }
    assert all(variable.startswith(PREFIX) for variable in environ)
    settings = Settings.from_environment(environ)
    assert "@redis-serving:6379/" in settings.serving_url.get_secret_value()
    assert "@redis-durable:6379/" in settings.durable_url.get_secret_value()
    assert settings.log_format == "json"


@EVERY_SERVICE_OF_OURS
def test_every_service_of_ours_is_probed_and_waits_for_both_redis(name: str) -> None:
    probe = {"reader": "api", "worker-gpu": "worker"}.get(name, name)
    assert SERVICES[name]["healthcheck"]["test"] == ["CMD", "python", "/probe.py", probe]
    assert SERVICES[name]["depends_on"] == {
        "redis-serving": {"condition": "service_healthy"},
        "redis-durable": {"condition": "service_healthy"},
    }


def test_the_control_api_alone_has_celery_among_the_readers() -> None:
    def extras(service: Service) -> str:
        return str(service["build"].get("args", {}).get("EXTRAS", ""))

    assert extras(SERVICES["api"]) == "control,watch"
    assert extras(SERVICES["reader"]) == ""
    assert SERVICES["reader"]["deploy"]["replicas"] > 1


def test_every_queue_is_taken_where_there_is_a_gpu() -> None:
    taken = [SERVICES[name]["command"][-1] for name in ("worker", "worker-gpu")]
    assert sorted(",".join(taken).split(",")) == sorted(Settings().queues)


def test_the_gpu_worker_is_one_process_with_one_gpu_of_nvidia() -> None:
    service = SERVICES["worker-gpu"]
    settings = Settings.from_environment(
        {name: value for name, value in service["environment"].items() if not name.endswith("_FILE")}
    )
    assert (settings.device, settings.worker_processes) == ("cuda", 1)
    [device] = service["deploy"]["resources"]["reservations"]["devices"]
    assert device == {"driver": "nvidia", "count": 1, "capabilities": ["gpu"]}


def test_the_workers_figures_are_asked_for_on_the_port_that_the_image_exposes() -> None:
    exposed = (ROOT / "deploy/worker.Dockerfile").read_text()
    for name in ("worker", "worker-gpu"):
        assert SERVICES[name]["environment"]["TOPSHELF_METRICS_PORT"] == "9541"
    assert "EXPOSE 5555 9540 9541\n" in exposed
    assert Settings().exporter_port == 9540
