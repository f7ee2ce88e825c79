"""How many threads numpy's linear algebra may use."""

from contextlib import AbstractContextManager

from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]


def blas_threads(threads: int) -> AbstractContextManager[object]:
    """Within this context BLAS uses at most ``threads`` threads."""
    limits: AbstractContextManager[object] = threadpool_limits(threads, user_api="blas")
    return limits
