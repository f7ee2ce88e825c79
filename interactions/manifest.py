"""The manifest of a dataset version."""

from typing import Literal

from pydantic import BaseModel, ConfigDict

from interactions.id_map import IdKind

Feedback = Literal["implicit", "explicit"]
"""What a pair's repeated rows amount to: implicit weights add up, of explicit ratings the highest stays."""


class DatasetManifest(BaseModel):
    """What a dataset version holds; ``manifest.json`` in its folder.

    ``created`` and ``cut_off`` (the newest interaction) are ISO 8601 in UTC. ``density`` is the share of
    pairs that have interacted. Where ``has_timestamps`` is false the times only count the rows of the file.
    ``content`` is a SHA-256 of what the version says, whenever and by whichever library it was written.
    Fields that a later version of the code added are left out.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    version: str
    created: str
    n_users: int
    n_items: int
    n_interactions: int
    n_rejects: int
    user_id_type: IdKind
    item_id_type: IdKind
    user_id_max: int | None
    feedback: Feedback
    has_timestamps: bool
    cut_off: str
    density: float
    source: str
    content: str
    checksums: dict[str, str]
    sizes: dict[str, int]
    category_names: tuple[str, ...]
    parent: str | None
