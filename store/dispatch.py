"""How a job travels: task names, queues and the broker's options, alike for readers and workers."""

from typing import Any

START_TASK = "topshelf.pipeline"
START_QUEUE = "io"
TASK_OF_STAGE = {
    "train": "topshelf.train",
    "evaluate": "topshelf.evaluate",
    "precompute": "topshelf.precompute",
    "publish": "topshelf.publish",
}
CHUNK_TASK = "topshelf.precompute_chunk"

QUEUE_OF_STAGE = {"publish": "io"}
"""Stages that no model computes in; the others go to the queue the model names."""


def broker_options(task_limit_seconds: int) -> dict[str, Any]:
    """Transport options of Celery over Redis; every client of one broker must use the same.

    The shortest visibility timeout of all apps on a broker wins, and a task that outlives it runs again: it
    stays above the hard limit of a task. kombu waits for ever on a silent server unless told otherwise.
    """
    return {
        "visibility_timeout": task_limit_seconds + 600,
        "socket_timeout": 30,
        "socket_connect_timeout": 5,
        "socket_keepalive": True,
    }
