"""RedBeat's configuration."""

from typing import Any

from redbeat.schedulers import RedBeatConfig

URL = "redbeat_redis_url"


class BeatConfig(RedBeatConfig):  # type: ignore[misc]  # redbeat has no types
    """Takes the URL of the durable Redis from our settings.

    As one of Celery's settings it would stand, password and all, in a worker's answer to ``inspect conf``,
    and so in Flower: Celery hides only the broker's there.
    """

    def either_or(self, name: str, default: Any = None) -> Any:
        if name == URL:
            return self.app.settings.durable_url.get_secret_value()
        return super().either_or(name, default)

    def is_key_in_conf(self, name: str) -> bool:
        return name == URL or bool(super().is_key_in_conf(name))
