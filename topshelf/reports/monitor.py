"""What Sentry is to expect of work that comes by the clock."""

import uuid
from dataclasses import dataclass
from typing import Any, Literal

CheckInStatus = Literal["in_progress", "ok", "error"]

CHECK_INS = uuid.UUID("6a0b9f8a-3a5e-4d0c-9a53-0d9d2f5c7e11")
"""Namespace of the ids of check-ins."""


@dataclass(frozen=True)
class Monitor:
    """One schedule, as a cron monitor of Sentry's knows it; Sentry makes the monitor of it.

    Attributes:
        slug: its name in Sentry: lower case letters, digits, ``-`` and ``_``.
        crontab: minute, hour, day of month, month, weekday.
        margin_minutes: how late a run may begin before it counts as missed.
        most_minutes: how long it may take before it counts as failed.
    """

    slug: str
    crontab: str
    timezone: str
    margin_minutes: int
    most_minutes: int

    def check_in(self, run: str, status: CheckInStatus, seconds: float | None = None) -> dict[str, Any]:
        """The event that says how the run of this id stands; any process may send the next of the same run.

        Args:
            seconds: how long the run took, once it is over.
        """
        return {
            "type": "check_in",
            "check_in_id": uuid.uuid5(CHECK_INS, f"{self.slug} {run}").hex,
            "monitor_slug": self.slug,
            "status": status,
            "duration": seconds,
            "monitor_config": {
                "schedule": {"type": "crontab", "value": self.crontab},
                "timezone": self.timezone,
                "checkin_margin": self.margin_minutes,
                "max_runtime": self.most_minutes,
                "failure_issue_threshold": 1,
                "recovery_threshold": 1,
            },
        }
