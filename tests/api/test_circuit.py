from api.circuit import Circuit
from api.metrics import Metrics


def test_it_is_open_from_the_first_failure_until_somebody_finds_the_store_back() -> None:
    circuit = Circuit(Metrics())
    known = [circuit.away_seconds is not None]
    for change in (circuit.open, circuit.close):
        change()
        known.append(circuit.away_seconds is not None)
    assert known == [False, True, False]


def test_the_time_away_counts_from_the_first_failure_and_it_is_one_failure() -> None:
    metrics = Metrics()
    circuit = Circuit(metrics)
    circuit.open()
    since = circuit.away_seconds
    circuit.open()
    assert circuit.away_seconds is not None
    assert since is not None
    assert circuit.away_seconds >= since
    assert b"topshelf_store_failures_total 1.0" in metrics.render({})
