"""The space a hyper-parameter is searched in; every configuration declares its own as ``space``."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Ints:
    """Whole numbers from ``low`` to ``high``, both included; ``log`` searches their logarithm."""

    low: int
    high: int
    log: bool = False
    step: int = 1


@dataclass(frozen=True)
class Floats:
    """Numbers from ``low`` to ``high``; ``log`` searches their logarithm."""

    low: float
    high: float
    log: bool = False


@dataclass(frozen=True)
class Choice:
    """One of ``options``, each of which the configuration accepts (a sequence is written as a tuple)."""

    options: tuple[object, ...]


Dimension = Ints | Floats | Choice
