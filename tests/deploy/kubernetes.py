"""The manifests for Kubernetes, and what of them a test asks for."""

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from tests.deploy.composed import ROOT

KUBERNETES = ROOT / "deploy/k8s"
FILES = sorted(
    path
    for folder in (KUBERNETES, ROOT / "deploy/redis")
    for path in folder.rglob("*.yaml")
    if path.name != "kustomization.yaml"
)

Manifest = dict[str, Any]


@cache
def manifests(path: Path) -> list[Manifest]:
    """The documents of a file."""
    return [document for document in yaml.safe_load_all(path.read_text()) if document]


@cache
def pods() -> dict[str, dict[str, Any]]:
    """Every pod's template by the name of what makes it."""
    return dict(_pods())


def container(name: str) -> dict[str, Any]:
    """The one container of a pod."""
    [only] = pods()[name]["spec"]["containers"]
    return dict(only)


def environment(name: str) -> dict[str, str]:
    """The variables of a pod, those of its configuration maps among them."""
    maps = {
        manifest["metadata"]["name"]: manifest["data"]
        for manifest in manifests(KUBERNETES / "base/configuration.yaml")
        if manifest["kind"] == "ConfigMap"
    }
    found: dict[str, str] = {}
    for source in container(name).get("envFrom", ()):
        found |= maps[source["configMapRef"]["name"]]
    return found | {variable["name"]: variable["value"] for variable in container(name).get("env", ())}


def _pods() -> Iterator[tuple[str, dict[str, Any]]]:
    for path in FILES:
        for manifest in manifests(path):
            spec = manifest.get("spec", {})
            pod = spec.get("jobTemplate", {}).get("spec", spec).get("template")
            if pod:
                yield manifest["metadata"]["name"], dict(pod)
