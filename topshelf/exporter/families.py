"""Families of samples, put together where they are made."""

from collections.abc import Iterable

from prometheus_client.core import GaugeMetricFamily

Sample = tuple[tuple[str, ...], float | None]
"""The values of a family's labels, and the sample's; None for one that is not known."""


def gauge(name: str, what: str, labels: tuple[str, ...], samples: Iterable[Sample]) -> GaugeMetricFamily:
    """A gauge with its samples."""
    family = GaugeMetricFamily(name, what, labels=labels)
    for values, number in samples:
        if number is not None:
            family.add_metric(list(values), number)
    return family
