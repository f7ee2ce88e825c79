"""The queries of dashboards and alerts, and what they ask for, held against what was scraped."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import promql_parser
import yaml
from prometheus_client.parser import text_string_to_metric_families
from promql_parser import MatchOp

ROOT = Path(__file__).parents[2]
ALERTS = ROOT / "deploy" / "prometheus" / "alerts.yml"
DASHBOARDS = ROOT / "deploy" / "grafana" / "dashboards"
LABEL_VALUES = re.compile(r"label_values\((\w+), (\w+)\)")
Series = Mapping[str, list[dict[str, str]]]
"""The label sets of each metric."""


@dataclass(frozen=True)
class Query:
    """One expression and where it stands."""

    where: str
    expr: str

    @property
    def parsed(self) -> Any:
        """Its syntax tree."""
        return promql_parser.parse(self.expr)

    @property
    def data(self) -> str:
        """What it looks at: of a comparison, what is compared; empty where it asks for what is not there."""
        tree = self.parsed
        if isinstance(tree, promql_parser.Call):
            return "" if tree.func.name == "absent" else self.expr
        comparison = isinstance(tree, promql_parser.BinaryExpr) and str(tree.op) in {">", "<", "==", "unless"}
        return str(tree.lhs.prettify()) if comparison else self.expr


def queries(alerts: Path = ALERTS, dashboards: Path = DASHBOARDS) -> list[Query]:
    """Every query of every alert rule and panel; Grafana's variables have what stands for all."""
    groups = yaml.safe_load(alerts.read_text())["groups"]
    found = [Query(rule["alert"], rule["expr"]) for group in groups for rule in group["rules"]]
    for path in sorted(dashboards.glob("*.json")):
        board = json.loads(path.read_text())
        for variable in board["templating"]["list"]:
            match = LABEL_VALUES.fullmatch(variable["query"]["query"])
            assert match, variable
            found.append(Query(f"{path.name}: ${variable['name']}", f"count by ({match[2]}) ({match[1]})"))
        for panel in board["panels"]:
            for target in panel.get("targets", []):
                expr = target["expr"].replace("$__rate_interval", "1m").replace("$model", ".*")
                found.append(Query(f"{path.name}: {panel['title']}", expr))
    return found


def series_of(texts: Mapping[str, Iterable[str]]) -> dict[str, list[dict[str, str]]]:
    """What was scraped, by job, as Prometheus would have it."""
    found: dict[str, list[dict[str, str]]] = {}
    for job, scrapes in texts.items():
        found.setdefault("up", []).append({"job": job, "instance": job})
        for text in scrapes:
            for family in text_string_to_metric_families(text):
                for sample in family.samples:
                    found.setdefault(sample.name, []).append(sample.labels | {"job": job, "instance": job})
    return found


def faults_of(query: Query, series: Series) -> Iterator[str]:
    """What a query asks for and was never scraped: a metric, a label, a value of one."""
    for selector in _selectors(query.parsed):
        label_sets = series.get(selector.name)
        if label_sets is None:
            yield f"{query.where}: there is no metric {selector.name}"
            continue
        matchers = selector.matchers.matchers
        for matcher in matchers:
            if not any(matcher.name in labels for labels in label_sets):
                yield f"{query.where}: {selector.name} has no label {matcher.name}"
        if not any(all(_matches(matcher, labels) for matcher in matchers) for labels in label_sets):
            yield f"{query.where}: no {selector.name} is such: {selector.prettify()}"
        known = {name for labels in label_sets for name in labels}
        if unknown := _grouped(query.parsed, selector) - known - {"le"}:
            yield f"{query.where}: {selector.name} has no label {', '.join(sorted(unknown))}"


def _matches(matcher: Any, labels: Mapping[str, str]) -> bool:
    value, op = labels.get(matcher.name, ""), matcher.op
    if op in (MatchOp.Equal, MatchOp.NotEqual):
        return (value == str(matcher.value)) == bool(op == MatchOp.Equal)
    return bool(re.fullmatch(matcher.value, value)) == bool(op == MatchOp.Re)


def _selectors(tree: Any) -> list[Any]:
    found: list[Any] = []

    def visit(node: Any) -> None:
        if isinstance(node, promql_parser.VectorSelector):
            found.append(node)

    promql_parser.walk(tree, pre_visit=visit)
    return found


def _grouped(tree: Any, selector: Any) -> set[str]:
    """The labels that aggregations over a selector keep."""
    kept: set[str] = set()

    def visit(node: Any) -> None:
        if isinstance(node, promql_parser.AggregateExpr) and node.modifier is not None:
            inside = {inner.name for inner in _selectors(node.expr)}
            if selector.name in inside and node.modifier.type == promql_parser.AggModifierType.By:
                kept.update(node.modifier.labels)

    promql_parser.walk(tree, pre_visit=visit)
    return kept
