"""How far and how fast a precompute goes, in words."""

from store.pace import Pace

SIGNIFICANT_DIGITS = 3
HALF_A_MINUTE, MINUTE, HOUR = 30, 60, 3_600


def pace_message(pace: Pace) -> str:
    """As in ``412,000 of 962,179 users, 24,100 a second, 23 s left``."""
    words = [f"{pace.users_written:,} of {pace.n_users:,} users"]
    if pace.seconds_left is not None:
        words.append(f"{_rounded(pace.users_per_second):,} a second")
        if pace.users_written < pace.n_users:
            words.append(f"{time_left(pace.seconds_left)} left")
    return ", ".join(words)


def time_left(seconds: float) -> str:
    """A length of time in one or two units, as in ``23 s``, ``4 min`` or ``1 h 12 min``."""
    if seconds < 2 * MINUTE:
        return f"{seconds:.0f} s"
    hours, minutes = divmod(int(seconds + HALF_A_MINUTE) // MINUTE, HOUR // MINUTE)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"


def _rounded(rate: float) -> int | float:
    return int(float(f"{rate:.{SIGNIFICANT_DIGITS}g}")) if rate >= 1 else round(rate, 2)
