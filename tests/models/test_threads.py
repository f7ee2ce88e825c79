from importlib import import_module

from models.threads import blas_threads


def blas_limits() -> set[int]:
    pools = import_module("threadpoolctl").threadpool_info()
    return {pool["num_threads"] for pool in pools if pool["user_api"] == "blas"}


def test_blas_keeps_to_the_limit_and_gets_its_threads_back() -> None:
    import_module("numpy")
    before = blas_limits()
    with blas_threads(1):
        assert blas_limits() == {1}
    assert blas_limits() == before
