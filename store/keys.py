"""The name of every key Topshelf has in Redis; nowhere else are names put together.

Braces are literal hash tags: keys that share one live in the same Redis Cluster slot, so that a
script may touch them together.
"""

import re
from dataclasses import dataclass
from typing import Literal

KeyRole = Literal["durable", "serving", "shelf", "lock"]
"""On which server a key stands, and whether it is worth keeping: shelves are stocked anew, locks run out."""


@dataclass(frozen=True)
class Keys:
    """Builds key names; ``prefix`` separates one catalogue (one tenant) from another."""

    prefix: str = "ts:"

    def live(self, model: str) -> str:
        """Pointer ``base[:delta]`` to what readers serve."""
        return f"{self.prefix}{{{model}}}:live"

    def fence(self, model: str) -> str:
        """Counter of runs; it never expires, so a generation id is never given out twice."""
        return f"{self.prefix}{{{model}}}:fence"

    def lock(self, model: str) -> str:
        """Owner of the model's lock."""
        return f"{self.prefix}{{{model}}}:lock"

    def compared(self, model: str) -> str:
        """``base:dataset``: the dataset version in which an incremental run found nobody new for a base."""
        return f"{self.prefix}{{{model}}}:compared"

    def hold(self, model: str) -> str:
        """There while a rollback keeps anything new from being published."""
        return f"{self.prefix}{{{model}}}:hold"

    def generations(self, model: str) -> str:
        """Sorted set of the model's generation ids by fence."""
        return f"{self.prefix}{{{model}}}:gens"

    def generation(self, model: str, generation: str) -> str:
        """Hash of what is known about a generation."""
        return self.generation_stem(model) + generation

    def generation_stem(self, model: str) -> str:
        """What every generation key of a model starts with; scripts append the id."""
        return f"{self.prefix}{{{model}}}:gen:"

    def chunks(self, model: str, generation: str) -> str:
        """Bitmap of finished chunks."""
        return self.generation(model, generation) + ":chunks"

    def leases(self, model: str, generation: str) -> str:
        """Hash: ``<chunk>`` -> end of its lease in ms, ``<chunk>:attempts`` -> times it was claimed,
        ``<chunk>:users`` -> users that were written once it was finished.
        """
        return self.generation(model, generation) + ":leases"

    def segments(self, model: str, generation: str) -> str:
        """Hash: ``labels`` -> JSON list, ``<number>`` -> packed row of that segment."""
        return self.generation(model, generation) + ":segments"

    def bucket(self, model: str, generation: str, bucket: int) -> str:
        """Hash: user key -> the first 64 bytes of the user's row."""
        return f"{self.prefix}b:{{{model}:{generation}:{bucket}}}"

    def overflow(self, model: str, generation: str, bucket: int) -> str:
        """Hash: user key -> the rest of the user's row, then the scores of its items where they are kept."""
        return f"{self.prefix}o:{{{model}:{generation}:{bucket}}}"

    def bucket_pattern(self, model: str, generation: str) -> bytes:
        """The names of a generation's buckets, with ``%d`` for the number."""
        return f"{self._escaped}b:{{{model}:{generation}:%d}}".encode()

    def overflow_pattern(self, model: str, generation: str) -> bytes:
        """The names of a generation's overflow hashes, with ``%d`` for the number."""
        return f"{self._escaped}o:{{{model}:{generation}:%d}}".encode()

    def catalog(self, dataset: str, part: int) -> str:
        """One part of a dataset's catalogue."""
        return f"{self.prefix}catalog:{dataset}:{part}"

    def knn(self, artifact: str, part: int) -> str:
        """One part of a neighbour artifact."""
        return f"{self.prefix}knn:{artifact}:{part}"

    def recent(self, user: str | bytes) -> str:
        """List of the items a user touched, newest first."""
        return f"{self.recents_stem}{{{_text(user)}}}"

    def profile(self, user: str | bytes) -> str:
        """JSON of what is known about a user."""
        return f"{self.profiles_stem}{{{_text(user)}}}"

    @property
    def recents_stem(self) -> str:
        """What every list of recent items starts with."""
        return f"{self.prefix}u:"

    @property
    def profiles_stem(self) -> str:
        """What every profile starts with."""
        return f"{self.prefix}p:"

    def user_of(self, key: bytes) -> bytes:
        """The user whose recent items or profile a key holds."""
        return key[len(self.recents_stem.encode()) + 1 : -1]

    def recent_marks(self, window: int) -> str:
        """Bitmap by crc32 of the users who touched something in a window of time."""
        return f"{self.prefix}marks:u:{window}"

    @property
    def profile_marks(self) -> str:
        """Bitmap by crc32 of the users who have a profile."""
        return f"{self.prefix}marks:p"

    def job(self, job_id: str) -> str:
        """Hash of a job record."""
        return f"{self.prefix}job:{job_id}"

    @property
    def jobs(self) -> str:
        """Sorted set of job ids by creation time."""
        return f"{self.prefix}jobs"

    def night(self, run_id: str) -> str:
        """Hash of a nightly run's record."""
        return f"{self.prefix}night:{run_id}"

    def night_notices(self, run_id: str) -> str:
        """Hash: ``<hook>/<event>`` -> how far its delivery is, as JSON."""
        return f"{self.prefix}night:{run_id}:notices"

    @property
    def nights(self) -> str:
        """Sorted set of nightly runs' ids by creation time."""
        return f"{self.prefix}nights"

    @property
    def nights_open(self) -> str:
        """Sorted set of those that are not over, or that a hook has yet to be told of."""
        return f"{self.prefix}nights:open"

    @property
    def schedules(self) -> str:
        """Hash: schedule -> what is noted of it."""
        return f"{self.prefix}schedules"

    @property
    def notices_lock(self) -> str:
        """Held by the one process that tells the hooks."""
        return f"{self.prefix}notices:lock"

    @property
    def models(self) -> str:
        """Set of the models that ever had a generation."""
        return f"{self.prefix}models"

    @property
    def redbeat(self) -> str:
        """What every key of the scheduler starts with."""
        return f"{self.prefix}redbeat:"

    @property
    def beat_lock(self) -> str:
        """Held by the one scheduler that is at work; RedBeat makes the name of its prefix."""
        return f"{self.redbeat}:lock"

    @property
    def events(self) -> str:
        """Stream of feedback that is not drained yet."""
        return f"{self.prefix}events"

    @property
    def items_hidden(self) -> str:
        """Set of hidden items' external ids."""
        return f"{self.prefix}items:hidden"

    @property
    def items_meta(self) -> str:
        """Hash: ``c:<item>`` -> JSON list of categories, ``f:<item>`` -> JSON object of features."""
        return f"{self.prefix}items:meta"

    @property
    def items_version(self) -> str:
        """Counter raised after each change to hidden items or to what is known about items."""
        return f"{self.prefix}items:version"

    @property
    def pattern(self) -> str:
        """Glob that matches every key."""
        return re.sub(r"([\\*?\[\]^-])", r"\\\1", self.prefix) + "*"

    def role_of(self, key: bytes) -> KeyRole:
        """What a key that starts with the prefix is; of those of a model, fence and hold alone are kept."""
        name = key.decode().removeprefix(self.prefix)
        if name.endswith(":lock"):
            return "lock"
        if name.startswith("{"):
            return "serving" if name.endswith(("}:fence", "}:hold")) else "shelf"
        if name.startswith(("b:", "o:", "catalog:", "knn:")):
            return "shelf"
        return "serving" if name.startswith(("u:", "p:", "marks:", "items:", "models")) else "durable"

    @property
    def _escaped(self) -> str:
        return self.prefix.replace("%", "%%")


def _text(user: str | bytes) -> str:
    return user.decode() if isinstance(user, bytes) else user
