"""What lists may hold, as operators write it down: ids and categories, made rules over a dataset's items."""

import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from interactions.dataset import Dataset
from models.ranking import NO_RULES, ListRules
from store.job import Job
from topshelf.errors import InvalidConfig
from workers.runtime import Runtime

log = logging.getLogger(__name__)

SHOWN_IDS = 5


class RuleSet(BaseModel):
    """Rules of a job, for the lists it stores; what is left out does not apply.

    Where a stored list is too short a reader tops it up from elsewhere: what no answer may hold is hidden
    (``PUT /items/{item}``), not blocked here.

    allow: the only items a list may hold; block: items no list holds; categories: only items of one of them;
    most_per_category: items of one category in a list, an item counting for the first of its own.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    allow: tuple[int | str, ...] | None = None
    block: tuple[int | str, ...] = ()
    categories: tuple[str, ...] | None = Field(None, min_length=1)
    most_per_category: int | None = Field(None, ge=1)

    @classmethod
    def of(cls, raw: Mapping[str, Any]) -> Self:
        """Check rules.

        Raises:
            InvalidConfig: naming every fault.
        """
        try:
            return cls.model_validate(raw)
        except ValidationError as error:
            faults = [
                f"{'.'.join(map(str, fault['loc'])) or 'rules'}: {fault['msg']}" for fault in error.errors()
            ]
            known = ", ".join(cls.model_fields)
            raise InvalidConfig(
                f"the rules cannot be used ({known} are known): {'; '.join(faults)}"
            ) from error

    def to_text(self) -> str:
        """The JSON of a generation's record; empty without any rule."""
        held = self.model_dump(mode="json", exclude_defaults=True)
        return json.dumps(held, separators=(",", ":")) if held else ""

    def over(self, dataset: Dataset) -> ListRules:
        """The rules over a dataset's items; ids it does not have are passed over, and logged.

        Raises:
            InvalidConfig: a category does not exist, or no item is left.
        """
        allowed = self._allowed(dataset)
        if allowed is not None and not allowed.any():
            raise InvalidConfig(f"the rules leave none of the {len(allowed):,} items of {dataset.version}")
        if self.most_per_category is None:
            return ListRules(allowed) if allowed is not None else NO_RULES
        return ListRules(allowed, _first_categories(dataset), self.most_per_category)

    def _allowed(self, dataset: Dataset) -> NDArray[np.bool_] | None:
        if self.allow is None and not self.block and self.categories is None:
            return None
        allowed = np.ones(len(dataset.items), np.bool_)
        if self.allow is not None:
            allowed[:] = False
            allowed[_indices(dataset, "allow", self.allow)] = True
        if self.categories is not None:
            allowed &= _in_categories(dataset, self.categories)
        allowed[_indices(dataset, "block", self.block)] = False
        return allowed


def rules_of(runtime: Runtime, job: Job) -> RuleSet:
    """The rules a job names, else those of the file in the settings, else none.

    Raises:
        InvalidConfig: they cannot be used.
    """
    if "rules" in job.params:
        return RuleSet.of(job.params["rules"])
    file = runtime.settings.rules_file
    return RuleSet() if file is None else read_rules(file)


def read_rules(path: Path) -> RuleSet:
    """The rules in a JSON file.

    Raises:
        InvalidConfig: it cannot be read, or is no object of rules.
    """
    try:
        raw = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise InvalidConfig(f"the rules in {path} cannot be read: {error}") from error
    if not isinstance(raw, dict):
        raise InvalidConfig(f'the rules in {path} are no JSON object, as in {{"block": [1, 2]}}')
    return RuleSet.of(raw)


def _indices(dataset: Dataset, rule: str, ids: tuple[int | str, ...]) -> list[int]:
    found = [dataset.items.index_of(item) for item in ids]
    missing = [item for item, index in zip(ids, found, strict=True) if index is None]
    if missing:
        shown = ", ".join(map(repr, missing[:SHOWN_IDS]))
        log.warning(
            "%s: %d of %d items are not in %s: %s", rule, len(missing), len(ids), dataset.version, shown
        )
    return [index for index in found if index is not None]


def _in_categories(dataset: Dataset, categories: tuple[str, ...]) -> NDArray[np.bool_]:
    names = dataset.manifest.category_names
    if unknown := [name for name in categories if name not in names]:
        raise InvalidConfig(
            f"no item of {dataset.version} is of category {', '.join(map(repr, unknown))}; "
            f"there are {', '.join(names) or 'none'}"
        )
    columns = [names.index(name) for name in categories]
    found: NDArray[np.bool_] = np.diff(dataset.item_categories()[:, columns].tocsr().indptr) > 0
    return found


def _first_categories(dataset: Dataset) -> NDArray[np.int32]:
    """The number of each item's first category, (n_items,), -1 for none."""
    number = {name: place for place, name in enumerate(dataset.manifest.category_names)}
    firsts = (number[labels[0]] if labels else -1 for labels in dataset.categories_of_items())
    return np.fromiter(firsts, np.int32, len(dataset.items))
