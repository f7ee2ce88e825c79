"""Where torch computes, with how many threads, and in which precision."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

import numpy as np
import torch

from topshelf.errors import InvalidConfig


def torch_device(name: str) -> torch.device:
    """The device called ``name``, such as "cpu", "cuda" or "cuda:1".

    Raises:
        InvalidConfig: a GPU is asked for that torch does not see.
    """
    device = torch.device(name)
    gpus = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if device.type == "cuda" and (device.index or 0) >= gpus:
        raise InvalidConfig(
            f"device {name!r} was asked for, but torch {torch.__version__} sees {gpus} GPUs; "
            "train on 'cpu', or install torch's CUDA build and a driver"
        )
    return device


@contextmanager
def torch_threads(threads: int) -> Iterator[None]:
    """Within this context torch computes on ``threads`` threads of the CPU."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def half_precision(device: torch.device, *, on_cpu: bool) -> AbstractContextManager[object]:
    """Matrix products in bfloat16: always on a GPU, on a CPU where ``on_cpu`` says so."""
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=on_cpu or device.type == "cuda")


def generator(device: torch.device, *key: int) -> torch.Generator:
    """Random numbers that depend on ``key`` alone, such as (seed, epoch, batch)."""
    return reseeded(torch.Generator(device), *key)


def reseeded(source: torch.Generator, *key: int) -> torch.Generator:
    """The same generator, set to begin where ``key`` says."""
    words = [number % 2**64 for number in key]
    state = int(np.random.SeedSequence(words).generate_state(1, np.uint64)[0])
    return source.manual_seed(state % 2**63)
