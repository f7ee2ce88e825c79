"""A mix of other models' lists, by rank or by score."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, field_validator, model_validator
from scipy.sparse import csr_matrix

from interactions.training_set import TrainingSet
from models.base import Arrays, ModelConfig, Recommender
from models.fit_run import FitRun
from models.ranking import ListRules, Ranking
from models.registry import create_model, model_class, model_config, model_entry
from models.space import Choice, Dimension, Ints
from topshelf.errors import InvalidConfig, UnknownModel

NAME = "blend"


class Component(ModelConfig):
    """A model of a blend: its name, hyper-parameters as far as they are not the defaults, and weight."""

    model: str
    config: dict[str, Any] = Field(default_factory=dict)
    weight: float = Field(1.0, gt=0)

    @field_validator("model")
    @classmethod
    def _has_lists_of_its_own(cls, name: str) -> str:
        try:
            layout = model_entry(name).layout
        except UnknownModel as exc:
            raise ValueError(str(exc)) from exc
        if name == NAME or layout != "users":
            raise ValueError("a blend is made of models with a list per user, and of no other blend")
        return name

    @model_validator(mode="after")
    def _is_configured_well(self) -> Self:
        try:
            model_config(self.model, self.config)
        except InvalidConfig as exc:
            raise ValueError(str(exc)) from exc
        return self


class BlendConfig(ModelConfig):
    """components: the models mixed, each trained on the same rows as the blend;
    mix: "rank" adds weight / (rank_offset + rank), "score" adds weight * score, each list's scores scaled to
    0..1; depth: items taken from each list; rank_offset: how little the first ranks stand out.
    """

    components: tuple[Component, ...] = Field(
        (Component(model="als"), Component(model="item_knn")), min_length=1, max_length=8
    )
    mix: Literal["rank", "score"] = "rank"
    depth: int = Field(100, ge=1, le=1000)
    rank_offset: float = Field(60.0, ge=0)

    space: ClassVar[Mapping[str, Dimension]] = {
        "mix": Choice(("rank", "score")),
        "depth": Ints(50, 400, log=True),
    }

    @property
    def component_models(self) -> tuple[str, ...]:
        return tuple(component.model for component in self.components)


class Blend(Recommender):
    """Lists of several models fused.

    Ranks: G. Cormack, C. Clarke, S. Büttcher, "Reciprocal Rank Fusion Outperforms Condorcet and Individual
    Rank Learning Methods", SIGIR 2009. Scores: E. Fox, J. Shaw, "Combination of Multiple Searches" (CombSUM,
    each list scaled to 0..1), TREC-2, 1994.

    Every component is trained anew on the blend's own rows, never taken as it was trained elsewhere: one
    that has seen the held-out rows would make the gate's figures lies.
    """

    name = NAME
    config_class: ClassVar[type[ModelConfig]] = BlendConfig
    max_empty_share = 0.2
    devices: ClassVar[tuple[str, ...]] = ("cpu", "cuda")

    config: BlendConfig
    _models: tuple[Recommender, ...]

    def __init__(
        self, config: ModelConfig | None = None, *, device: str = "cpu", seed: int = 0, threads: int = 1
    ) -> None:
        super().__init__(config, device=device, seed=seed, threads=threads)
        self.folds_in = all(model_entry(model).folds_in for model in self.config.component_models)

    def knows_cold(self, users: NDArray[np.integer]) -> NDArray[np.bool_]:
        """Whom one of the components knows."""
        known: NDArray[np.bool_] = np.any([model.knows_cold(users) for model in self._models], axis=0)
        return known

    def refit_config(self) -> ModelConfig:
        chosen = tuple(
            component.model_copy(update={"config": model.refit_config().model_dump(mode="json")})
            for component, model in zip(self.config.components, self._models, strict=True)
        )
        return self.config.model_copy(update={"components": chosen})

    def _fit(self, data: TrainingSet, run: FitRun) -> None:
        fitted: list[Recommender] = []
        parts = len(self.config.components)
        for place, component in enumerate(self.config.components):
            model = create_model(
                component.model, component.config, device=self.device, seed=self.seed, threads=self.threads
            )
            folder = run.checkpoints / str(place) if run.checkpoints else None
            progress = run.part(place / parts, parts).report
            fitted.append(model.fit(data, progress=progress, checkpoints=folder))
        self._models = tuple(fitted)

    def _rank(
        self,
        users: NDArray[np.integer],
        history: csr_matrix,
        k: int,
        *,
        drop_seen: bool,
        allowed: NDArray[np.bool_] | None = None,
    ) -> Ranking:
        depth, rules = self._depth(k), ListRules(allowed)
        lists = [
            model.recommend(users, history, depth, drop_seen=drop_seen, rules=rules) for model in self._models
        ]
        return self._fused(lists, k)

    def _rank_histories(
        self,
        known_as: NDArray[np.integer],
        history: csr_matrix,
        k: int,
        *,
        drop_seen: bool,
        allowed: NDArray[np.bool_] | None = None,
    ) -> Ranking:
        depth, rules = self._depth(k), ListRules(allowed)
        lists = [
            model.recommend_for(history, depth, known_as=known_as, drop_seen=drop_seen, rules=rules)
            for model in self._models
        ]
        return self._fused(lists, k)

    def _depth(self, k: int) -> int:
        """Items taken from each list to make one of ``k``."""
        return min(max(self.config.depth, k), self.n_items)

    def _fused(self, lists: Sequence[Ranking], k: int) -> Ranking:
        worth = [
            component.weight * self._worth(ranking)
            for component, ranking in zip(self.config.components, lists, strict=True)
        ]
        return fuse(np.hstack([ranking.items for ranking in lists]), np.hstack(worth), k)

    def _worth(self, ranking: Ranking) -> NDArray[np.float64]:
        """What each place of each list adds to its item, (n, depth)."""
        listed = ranking.items >= 0
        if self.config.mix == "rank":
            return np.where(listed, 1 / (self.config.rank_offset + 1 + np.arange(listed.shape[1])), 0.0)
        scores = np.where(listed, ranking.scores, np.inf).astype(np.float64)
        lowest = scores.min(axis=1, keepdims=True, initial=np.inf)
        reach = np.where(listed, ranking.scores, -np.inf).max(axis=1, keepdims=True) - lowest
        with np.errstate(invalid="ignore", divide="ignore"):
            scaled = np.where(reach > 0, (scores - lowest) / reach, 1.0)
        return np.where(listed, scaled, 0.0)

    def _arrays(self) -> Arrays:
        return {
            f"{place}.{name}": array
            for place, model in enumerate(self._models)
            for name, array in model.arrays().items()
        }

    def _restore(self, arrays: Mapping[str, NDArray[np.generic]], n_users: int, n_items: int) -> None:
        restored = []
        for place, component in enumerate(self.config.components):
            own = {
                name.removeprefix(f"{place}."): array
                for name, array in arrays.items()
                if name.startswith(f"{place}.")
            }
            restored.append(
                model_class(component.model).from_arrays(
                    own,
                    model_config(component.model, component.config),
                    n_users=n_users,
                    n_items=n_items,
                    device=self.device,
                    seed=self.seed,
                    threads=self.threads,
                )
            )
        self._models = tuple(restored)


def fuse(items: NDArray[np.int32], worth: NDArray[np.float64], k: int) -> Ranking:
    """Add up what each item is worth in a row and keep the k best, ties to the lower index.

    Args:
        items: (n, m), -1 for none, an item any number of times; worth: (n, m), not negative.
    """
    n, m = items.shape
    ranking = Ranking.empty(n, k)
    order = np.argsort(items, axis=1, kind="stable")
    items, worth = np.take_along_axis(items, order, 1), np.take_along_axis(worth, order, 1)
    first = np.ones((n, m), np.bool_)
    first[:, 1:] = items[:, 1:] != items[:, :-1]
    group = np.cumsum(first.ravel()) - 1
    total = np.bincount(group, weights=worth.ravel()).astype(np.float64)[group].reshape(n, m)
    total = np.where(first & (items >= 0), total, -np.inf)
    best = np.lexsort((items, -total), axis=1)[:, :k]
    chosen = np.take_along_axis(total, best, 1)
    width = best.shape[1]
    ranking.items[:, :width] = np.where(chosen > -np.inf, np.take_along_axis(items, best, 1), -1)
    ranking.scores[:, :width] = chosen
    return ranking
