"""What a whole system tells Prometheus and its logs, against what dashboards, alerts and docs say of it."""

import json
import re
import shutil
import subprocess
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from store.embedded import free_port
from tests.system.monitored import TRACE, Monitored, monitored, outage, serve_alone, work
from tests.system.promql import ALERTS, ROOT, Query, faults_of, queries, series_of

CONFIG = ROOT / "deploy" / "prometheus" / "prometheus.yml"
SCRAPES = 3
"""So many scrapes after the last thing that happened, every rate has two samples of it."""


class Prometheus:
    """A real one, which scrapes a system as the configuration in ``deploy/`` says, but every other second."""

    def __init__(self, folder: Path, system: Monitored) -> None:
        self._url = f"127.0.0.1:{free_port()}"
        config = yaml.safe_load(CONFIG.read_text())
        config["global"] = {"scrape_interval": "2s", "scrape_timeout": "2s", "evaluation_interval": "1s"}
        config["rule_files"] = [str(ALERTS)]
        config["scrape_configs"] = [
            {
                "job_name": found["job_name"],
                "static_configs": [{"targets": [system.targets[found["job_name"]]]}],
            }
            for found in config["scrape_configs"]
        ]
        (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
        with (folder / "prometheus.log").open("wb") as log:
            self._process = subprocess.Popen(
                [
                    "prometheus",
                    f"--config.file={folder / 'prometheus.yml'}",
                    f"--storage.tsdb.path={folder / 'tsdb'}",
                    f"--web.listen-address={self._url}",
                ],
                stdout=log,
                stderr=log,
            )

    def query(self, expr: str, at: float) -> list[Any]:
        """The result of an expression; fails with what Prometheus says is wrong with it."""
        return list(self._get("query", query=expr, time=at)["result"])

    def scraped_since(self, moment: float) -> bool:
        """Whether every target was scraped often enough since, and answered the last time."""
        seconds = int(time.time() - moment)
        if seconds < SCRAPES:
            return False
        found = self.query(f"sum_over_time(up[{seconds}s]) and up == 1", time.time())
        return len(found) == 3 and all(int(one["value"][1]) >= SCRAPES for one in found)

    def rule_errors(self) -> list[str]:
        """What went wrong when the alerts were evaluated."""
        groups = self._get("rules")["groups"]
        assert groups
        return [rule["lastError"] for group in groups for rule in group["rules"] if rule.get("lastError")]

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait(30)

    def _get(self, path: str, **asked: Any) -> dict[str, Any]:
        url = f"http://{self._url}/api/v1/{path}?{urllib.parse.urlencode(asked)}"
        with urllib.request.urlopen(url, timeout=10) as answer:
            found = json.loads(answer.read())
        assert found["status"] == "success", found
        data: dict[str, Any] = found["data"]
        return data


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory, redis_binary: Path | None) -> Iterator[Monitored]:
    """A system that did its work and went through an outage, the moments of both written down."""
    folder = tmp_path_factory.mktemp("monitored")
    with monitored(folder, redis_binary) as (system, server):
        prometheus = Prometheus(folder, system) if shutil.which("prometheus") else None
        try:
            work(system)
            _settle(system, prometheus)
            outage(system, server)
            _settle(system, prometheus, lambda: serve_alone(system))
            system.prometheus = prometheus
            yield system
        finally:
            if prometheus:
                prometheus.stop()


def _settle(
    system: Monitored, prometheus: Prometheus | None, meanwhile: Callable[[], None] = lambda: None
) -> None:
    """Let everything be scraped for some seconds while something goes on."""
    began = time.time()
    meanwhile()
    while prometheus and not _answered_since(prometheus, began):
        meanwhile()
    system.scrape()
    system.moments.append(time.time())


def _answered_since(prometheus: Prometheus, began: float) -> bool:
    try:
        return prometheus.scraped_since(began)
    except OSError:
        return False


@pytest.fixture(scope="module")
def prometheus(system: Monitored) -> Prometheus:
    if system.prometheus is None:
        pytest.skip("no prometheus on PATH")
    found: Prometheus = system.prometheus
    return found


def test_every_query_asks_for_what_there_is(system: Monitored) -> None:
    series = series_of(system.scraped)
    assert not [fault for query in queries() for fault in faults_of(query, series)]


@pytest.mark.parametrize(
    ("expr", "fault"),
    [
        ("topshelf_request_total", "there is no metric topshelf_request_total"),
        ('rate(topshelf_lists_total{sauce="cache"}[1m])', "has no label sauce"),
        ('topshelf_lists_total{source="cash"}', "is such"),
        ("sum by (modell) (topshelf_lists_total)", "has no label modell"),
        ('topshelf_requests_total{status=~"6.."}', "is such"),
        ('up{job="reader"}', "is such"),
    ],
)
def test_a_slip_of_the_pen_in_a_query_is_found(system: Monitored, expr: str, fault: str) -> None:
    found = list(faults_of(Query("here", expr), series_of(system.scraped)))
    assert [one for one in found if fault in one]


def test_prometheus_answers_every_query_with_something(system: Monitored, prometheus: Prometheus) -> None:
    for query in queries():
        for moment in system.moments:
            prometheus.query(query.expr, moment)
    empty = [
        query
        for query in queries()
        if query.data and not any(prometheus.query(query.data, moment) for moment in system.moments)
    ]
    assert not empty
    assert not prometheus.rule_errors()


def test_what_is_wrong_is_pending_or_firing(system: Monitored, prometheus: Prometheus) -> None:
    before, after = (
        {one["metric"]["alertname"] for one in prometheus.query("ALERTS", moment)}
        for moment in system.moments
    )
    in_an_outage = {"TopshelfRedisDown", "TopshelfServingStale", "TopshelfErrorsHigh"}
    assert "TopshelfJobFailed" in before
    assert not in_an_outage & before
    assert in_an_outage <= after


@pytest.mark.skipif(not shutil.which("promtool"), reason="no promtool on PATH")
@pytest.mark.parametrize(
    "arguments",
    [
        ("check", "rules", "alerts.yml"),
        ("check", "config", "prometheus.yml"),
        ("test", "rules", "alerts_test.yml"),
    ],
)
def test_promtool_is_content(arguments: tuple[str, ...]) -> None:
    done = subprocess.run(
        ["promtool", *arguments], cwd=CONFIG.parent, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.skipif(not shutil.which("promtool"), reason="no promtool on PATH")
def test_promtool_is_content_with_the_rest_of_the_configuration_for_kubernetes(tmp_path: Path) -> None:
    """Debian's promtool is built without Kubernetes and knows only what does not speak of it."""
    config = yaml.safe_load((CONFIG.parent / "kubernetes.yml").read_text())
    for job in config["scrape_configs"]:
        assert job.pop("kubernetes_sd_configs") == [{"role": "pod"}]
    (tmp_path / "rest.yml").write_text(
        yaml.safe_dump(config | {"rule_files": [str(CONFIG.parent / "alerts.yml")]})
    )
    done = subprocess.run(
        ["promtool", "check", "config", tmp_path / "rest.yml"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_line_of_every_log_is_an_object(system: Monitored) -> None:
    for service in ("api", "worker", "beat", "exporter"):
        lines = [json.loads(line) for line in system.log_lines(service)]
        assert lines
        assert {line["service"] for line in lines} == {service}
        assert all({"time", "level", "logger", "message"} <= line.keys() for line in lines)


def test_every_line_of_a_jobs_tasks_has_the_trace_of_the_request(system: Monitored) -> None:
    lines = [json.loads(line) for line in system.log_lines("worker")]
    own = [line for line in lines if line.get("job") == system.traced]
    assert {line["task"].removeprefix("topshelf.") for line in own} >= {
        "pipeline",
        "train",
        "evaluate",
        "precompute",
        "precompute_chunk",
        "publish",
    }
    assert {(line["trace"], line["model"]) for line in own} == {(TRACE, "item_knn")}
    # What Celery says of a message that arrives is not said in a task.
    named = [line for line in lines if system.traced in line["message"] and "received" not in line["message"]]
    assert len(named) > 5
    assert {line.get("trace") for line in named} == {TRACE}


def test_no_token_is_in_a_log(system: Monitored) -> None:
    for path in system.settings.data_dir.glob("*.log"):
        assert "admin-of-the-test" not in path.read_text()


def test_the_page_of_metrics_names_those_there_are(system: Monitored) -> None:
    page = (ROOT / "docs" / "monitoring.md").read_text()
    rows = re.findall(r"^\| `(topshelf_\w+)` \|([^|]*)\|", page, re.MULTILINE)
    told = {name: frozenset(re.findall(r"`(\w+)`", labels)) for name, labels in rows}
    assert told == dict(_exported(system))


def _exported(system: Monitored) -> Iterator[tuple[str, frozenset[str]]]:
    """Metrics by the name a query has for them, a histogram without its suffixes, and their labels."""
    for name, label_sets in series_of(system.scraped).items():
        base = re.sub(r"_(bucket|count|sum|created)$", "", name)
        if name.startswith("topshelf_") and (name == base or name.endswith("_count")):
            yield base, frozenset(label_sets[0]) - {"job", "instance", "le"}
