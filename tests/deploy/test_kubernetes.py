"""The manifests for Kubernetes: what its schemas and kustomize make of them, and what each pod may do."""

import re
import shutil
import subprocess
import sys
from copy import deepcopy
from functools import cache
from pathlib import Path

import kubernetes_validate
import pytest
import yaml

from tests.deploy.composed import ROOT, Service, services
from tests.deploy.kubernetes import (
    FILES,
    KUBERNETES,
    Manifest,
    container,
    environment,
    manifests,
    pods,
)
from topshelf.settings import PREFIX, Settings

OLDEST, NEWEST = "1.29", "1.37"
AN_HOUR = 3600
PROMETHEUS = ROOT / "deploy/prometheus"
KUSTOMIZATIONS = ("base", "example")
PODS = pods()
EVERY_POD = pytest.mark.parametrize("name", sorted(PODS))
OURS = sorted(name for name in PODS if not name.startswith("redis-"))
EVERY_POD_OF_OURS = pytest.mark.parametrize("name", OURS)


@pytest.fixture(params=KUSTOMIZATIONS)
def built(request: pytest.FixtureRequest) -> list[Manifest]:
    """Everything a kustomization makes."""
    if shutil.which("kubectl") is None:
        pytest.skip("kubectl is not installed")
    return build(request.param)


@cache
def build(name: str) -> list[Manifest]:
    made = subprocess.run(
        ["kubectl", "kustomize", KUBERNETES / name], capture_output=True, text=True, check=False
    )
    assert made.returncode == 0, made.stderr
    return list(yaml.safe_load_all(made.stdout))


@pytest.mark.parametrize("version", [OLDEST, NEWEST])
@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT / "deploy")))
def test_the_schemas_of_kubernetes_accept_a_file(path: Path, version: str) -> None:
    assert manifests(path)
    for manifest in manifests(path):
        kubernetes_validate.validate(manifest, version, strict=True)


def test_the_schemas_refuse_what_is_misspelt() -> None:
    [deployment, *_] = deepcopy(manifests(KUBERNETES / "base/beat.yaml"))
    deployment["spec"]["replica"] = 1
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(deployment, NEWEST, strict=True)


def test_kustomize_makes_manifests_that_the_schemas_accept(built: list[Manifest]) -> None:
    for manifest in built:
        kubernetes_validate.validate(manifest, NEWEST, strict=True)
    names = [(manifest["kind"], manifest["metadata"]["name"]) for manifest in built]
    assert len({*names}) == len(names)
    assert not [manifest for manifest in built if "namespace" in manifest["metadata"]]


def test_every_file_is_part_of_the_example() -> None:
    if shutil.which("kubectl") is None:
        pytest.skip("kubectl is not installed")
    files = [path for path in FILES if path.name != "secret.example.yaml"]
    written = {(one["kind"], one["metadata"]["name"]) for path in files for one in manifests(path)}
    made = {
        (one["kind"], re.sub(r"^(topshelf-redis)-\w+$", r"\1", one["metadata"]["name"]))
        for one in build("example")
    }
    assert made == written | {("ConfigMap", "topshelf-redis")}


def test_beat_starts_no_nightly_run_where_a_cron_job_does() -> None:
    if shutil.which("kubectl") is None:
        pytest.skip("kubectl is not installed")
    crons = {
        name: next(
            manifest["data"]["TOPSHELF_NIGHTLY_CRON"]
            for manifest in build(name)
            if manifest["metadata"]["name"] == "topshelf-workers"
        )
        for name in KUSTOMIZATIONS
    }
    assert crons == {"base": Settings().nightly_cron, "example": ""}


@EVERY_POD
def test_a_pod_may_do_what_it_must_and_no_more(name: str) -> None:
    spec = PODS[name]["spec"]
    assert spec["automountServiceAccountToken"] is False
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["securityContext"]["runAsUser"] > 0
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container(name)["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert not {"hostNetwork", "hostPID", "hostIPC"} & spec.keys()


@EVERY_POD
def test_a_pod_is_bounded_and_watched(name: str) -> None:
    resources = container(name)["resources"]
    assert {"cpu", "memory"} <= resources["requests"].keys()
    assert "memory" in resources["limits"]
    if name != "nightly":
        assert "startupProbe" in container(name)
    if name not in {"nightly", "beat"}:
        assert "livenessProbe" in container(name)


@EVERY_POD_OF_OURS
def test_an_outage_of_redis_ends_no_pod(name: str) -> None:
    alive = container(name).get("livenessProbe", {})
    answering = {"/health/live", "/metrics", "/healthcheck"}
    assert not alive or alive["httpGet"]["path"] in answering
    starting = container(name).get("startupProbe", {})
    asks_redis = "exec" in starting or starting.get("httpGet", {}).get("path") == "/health/ready"
    assert not asks_redis or starting["periodSeconds"] * starting["failureThreshold"] >= AN_HOUR


@EVERY_POD
def test_no_service_of_the_namespace_turns_up_as_a_setting(name: str) -> None:
    assert PODS[name]["spec"]["enableServiceLinks"] is False


@EVERY_POD
def test_every_volume_is_declared_and_mounted(name: str) -> None:
    declared = [volume["name"] for volume in PODS[name]["spec"].get("volumes", ())]
    mounted = [mount["name"] for mount in container(name)["volumeMounts"]]
    claimed = ["data"] if name.startswith("redis-") else []
    assert sorted(mounted) == sorted([*declared, *claimed])


@EVERY_POD
def test_a_pod_mounts_the_secrets_that_it_reads(name: str) -> None:
    [secret] = [volume["secret"] for volume in PODS[name]["spec"]["volumes"] if "secret" in volume]
    read = re.findall(r"/run/secrets/(\w+)", yaml.safe_dump([container(name), environment(name)], width=1000))
    assert {item["key"] for item in secret["items"]} == {*read}
    assert all(item["key"] == item["path"] for item in secret["items"])
    assert secret["secretName"] == "topshelf"


def test_the_example_of_the_secret_has_what_the_pods_read_as_the_script_makes_it(
    secrets_folder: Path,
) -> None:
    [example] = manifests(KUBERNETES / "secret.example.yaml")
    read = {
        item["key"]
        for pod in PODS.values()
        for volume in pod["spec"]["volumes"]
        for item in volume.get("secret", {}).get("items", ())
    }
    assert example["stringData"].keys() == read
    assert read <= {path.name for path in secrets_folder.iterdir()}


@EVERY_POD_OF_OURS
def test_every_setting_of_a_pod_exists_and_can_be_read(name: str, secrets_folder: Path) -> None:
    environ = {
        variable: value.replace("/run/secrets", str(secrets_folder))
        for variable, value in environment(name).items()
    }
    assert all(variable.startswith(PREFIX) for variable in environ)
    settings = Settings.from_environment(environ)
    assert settings.log_format == "json"
    assert "@redis-serving:6379/" in settings.serving_url.get_secret_value()


@pytest.mark.parametrize("name", sorted(PODS.keys() - {"nightly"}))
def test_a_pod_runs_what_the_compose_file_runs_which_is_started_for_real(name: str) -> None:
    composed: Service = services()["api" if name == "control" else name]
    assert container(name)["command"] == composed["command"]
    assert container(name)["image"] == composed["image"]
    assert PODS[name]["spec"]["securityContext"]["runAsUser"] == int(composed["user"].partition(":")[0])


def test_the_cron_job_runs_a_command_that_exists() -> None:
    program, command, *options = container("nightly")["command"]
    assert program == "topshelf"
    done = subprocess.run(
        [sys.executable, "-m", "topshelf", command, "--help"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert set(options) <= set(re.findall(r"--[a-z-]+", done.stdout))


def test_the_reader_is_scaled_by_its_load_and_never_drained_whole() -> None:
    kinds = {manifest["kind"]: manifest for manifest in manifests(KUBERNETES / "base/reader.yaml")}
    assert "replicas" not in kinds["Deployment"]["spec"]
    scaler = kinds["HorizontalPodAutoscaler"]["spec"]
    assert scaler["scaleTargetRef"]["name"] == kinds["Deployment"]["metadata"]["name"]
    assert 2 <= scaler["minReplicas"] < scaler["maxReplicas"]
    assert "cpu" in container("reader")["resources"]["requests"]
    assert kinds["PodDisruptionBudget"]["spec"]["maxUnavailable"] == 1
    labels = PODS["reader"]["metadata"]["labels"].items()
    for kind in ("Service", "PodDisruptionBudget"):
        selector = kinds[kind]["spec"]["selector"]
        assert selector.get("matchLabels", selector).items() <= labels


def test_a_reader_starts_ready_and_stays_in_service_while_redis_is_away() -> None:
    probes = {
        kind: container("reader")[kind]["httpGet"]["path"]
        for kind in ("startupProbe", "readinessProbe", "livenessProbe")
    }
    assert probes == {
        "startupProbe": "/health/ready",
        "readinessProbe": "/health/live",
        "livenessProbe": "/health/live",
    }


def test_the_gpu_worker_is_given_one_gpu() -> None:
    assert container("worker-gpu")["resources"]["limits"]["nvidia.com/gpu"] == 1
    settings = environment("worker-gpu")
    assert (settings["TOPSHELF_DEVICE"], settings["TOPSHELF_WORKER_PROCESSES"]) == ("cuda", "1")


def test_a_nightly_run_is_never_started_beside_another_and_caught_up_where_it_was_missed() -> None:
    [job] = manifests(KUBERNETES / "nightly/cronjob.yaml")
    assert job["spec"]["concurrencyPolicy"] == "Forbid"
    assert job["spec"]["startingDeadlineSeconds"] >= 3600
    assert job["spec"]["schedule"] == Settings().nightly_cron


def test_a_policy_of_the_network_speaks_of_pods_that_are_there() -> None:
    components = {pod["metadata"]["labels"]["app.kubernetes.io/component"] for pod in PODS.values()}
    ports = {port["name"] for name in PODS for port in container(name).get("ports", ())}
    numbers = {port["containerPort"] for name in PODS for port in container(name).get("ports", ())}
    for policy in manifests(KUBERNETES / "base/network.yaml"):
        for expression in policy["spec"]["podSelector"].get("matchExpressions", ()):
            assert set(expression["values"]) <= components
        for rule in policy["spec"]["ingress"]:
            assert {port["port"] for port in rule["ports"]} <= ports | numbers
    assert all("app.kubernetes.io/part-of" in pod["metadata"]["labels"] for pod in PODS.values())


def test_prometheus_scrapes_each_pod_that_has_figures_under_the_job_that_the_alerts_name() -> None:
    scraped = {
        (job["job_name"], name, port["containerPort"])
        for job in yaml.safe_load((PROMETHEUS / "kubernetes.yml").read_text())["scrape_configs"]
        for name in PODS
        for port in container(name).get("ports", ())
        if all(is_kept(rule, name, port["name"]) for rule in job["relabel_configs"])
    }
    assert scraped == {
        ("api", "reader", 8000),
        ("api", "control", 8000),
        ("worker", "worker", 9541),
        ("worker", "worker-gpu", 9541),
        ("exporter", "exporter", 9540),
    }
    asked = re.findall(r'up\{job="(\w+)"\}', (PROMETHEUS / "alerts.yml").read_text())
    assert {*asked} == {job for job, _, _ in scraped}


def is_kept(rule: Manifest, name: str, port: str) -> bool:
    """Whether Prometheus goes on with a port of a pod after a rule."""
    if rule.get("action") != "keep":
        return True
    found = {
        "__meta_kubernetes_pod_label_app_kubernetes_io_part_of": label(name, "part-of"),
        "__meta_kubernetes_pod_label_app_kubernetes_io_component": label(name, "component"),
        "__meta_kubernetes_pod_container_port_name": port,
        "__meta_kubernetes_pod_phase": "Running",
    }
    text = ";".join(found[source] for source in rule["source_labels"])
    return re.fullmatch(rule["regex"], text) is not None


def label(name: str, key: str) -> str:
    return str(PODS[name]["metadata"]["labels"][f"app.kubernetes.io/{key}"])
