import pytest

from store.job import Job, blank_fields, encoded
from topshelf.errors import StoreError


def record(**changes: object) -> dict[bytes, bytes]:
    flat = encoded({"params": {}, **changes})
    given = dict(zip(flat[::2], flat[1::2], strict=True))
    return {as_bytes(name): as_bytes(value) for name, value in (blank_fields() | given).items()}


def as_bytes(value: str | bytes) -> bytes:
    return value.encode() if isinstance(value, str) else value


def test_what_is_known_about_a_job_reads_back() -> None:
    metrics = {"NDCG@10": 0.25}
    job = Job.from_fields(
        record(id="j1", state="running", progress=0.5, fence=7, metrics=metrics, message="戏剧")
    )
    assert (job.id, job.progress, job.fence, job.metrics, job.message) == ("j1", 0.5, 7, metrics, "戏剧")
    assert (job.error, job.generation, job.lease_until) == (None, "", 0.0)


@pytest.mark.parametrize(
    ("state", "over"),
    [("queued", False), ("running", False), ("cancelling", False),
     ("succeeded", True), ("failed", True), ("cancelled", True)],
)  # fmt: skip
def test_a_job_is_over_in_a_state_it_cannot_leave(state: str, over: bool) -> None:
    assert Job.from_fields(record(state=state)).over is over


def test_a_damaged_record_is_an_error() -> None:
    with pytest.raises(StoreError, match="job j1 is damaged"):
        Job.from_fields(record(id="j1") | {b"fence": b"seven"})
    with pytest.raises(StoreError):
        Job.from_fields(record(id="j1") | {b"metrics": b"{"})
    with pytest.raises(StoreError, match="damaged"):
        Job.from_fields({b"id": b"j1"})


def test_a_record_of_another_version_has_blanks_for_what_it_lacks_and_keeps_no_field_it_does_not_know() -> (
    None
):
    raw = record(id="j1", kind="train", stage="train") | {b"hopes": b"high"}
    del raw[b"trace"], raw[b"metrics"]
    job = Job.from_fields(raw)
    assert (job.id, job.trace, job.metrics, job.known) == ("j1", "", None, True)


@pytest.mark.parametrize(("kind", "stage"), [("distil", "train"), ("train", "distil")])
def test_a_kind_or_a_stage_of_a_later_version_is_not_known(kind: str, stage: str) -> None:
    assert not Job.from_fields(record(kind=kind, stage=stage)).known
