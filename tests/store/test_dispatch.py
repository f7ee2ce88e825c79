from store.dispatch import QUEUE_OF_STAGE, TASK_OF_STAGE, broker_options
from store.jobs import STAGES


def test_every_stage_has_a_task() -> None:
    assert set(TASK_OF_STAGE) == {stage for stages in STAGES.values() for stage in stages}
    assert set(QUEUE_OF_STAGE) <= set(TASK_OF_STAGE)


def test_a_message_stays_invisible_longer_than_a_task_may_last() -> None:
    assert broker_options(6 * 3600)["visibility_timeout"] > 6 * 3600
    assert broker_options(60)["socket_timeout"] is not None
