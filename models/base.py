"""What every model is: a validated configuration, ``fit``, ``recommend``, and arrays to be stored."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import ClassVar, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict
from scipy.sparse import csr_matrix

from interactions.training_set import TrainingSet
from knn.neighbours import NeighbourIndex
from models.fit_run import FitRun, OnEpoch, Progress
from models.ranking import (
    NO_RULES,
    ExactRanker,
    Floats,
    ItemVectors,
    ListRules,
    Ranking,
    VectorRanker,
    Vectors,
    rank_scores,
)
from models.segments import Segments
from models.space import Dimension
from models.threads import blas_threads
from topshelf.errors import (
    CannotFoldIn,
    EmptyData,
    InvalidConfig,
    InvalidId,
    ModelError,
    NotFitted,
    TrainingFailed,
)

Arrays = dict[str, NDArray[np.generic]]


class ModelConfig(BaseModel):
    """Hyper-parameters of a model; unknown names and infinite numbers are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    space: ClassVar[Mapping[str, Dimension]] = {}
    """Where ``topshelf tune`` searches, by field; fields left out keep their defaults."""

    @property
    def component_models(self) -> tuple[str, ...]:
        """The models that this one is made of, by name."""
        return ()


def cannot_fold_in(name: str) -> CannotFoldIn:
    """What is said of a model that does not fold in."""
    return CannotFoldIn(
        f"{name} serves only users it was trained on; to take new events into account run: "
        f"topshelf pipeline {name}"
    )


class Recommender(ABC):
    """Base of all models: validates at the door, a subclass fills the underscored hooks.

    A subclass fills ``_fit``, ``_arrays``, ``_restore`` and either ``_vectors`` or ``_score``.
    """

    name: ClassVar[str]
    config_class: ClassVar[type[ModelConfig]] = ModelConfig
    queue: ClassVar[str] = "cpu"
    layout: ClassVar[Literal["users", "segments"]] = "users"
    is_baseline: ClassVar[bool] = False
    """The gate's floor does not apply."""
    max_empty_share: ClassVar[float] = 0.0
    """Share of the users with history that the model may leave without a list."""
    optimizer: ClassVar[str] = ""
    """What minimises the loss, as a tracker shows it; empty where there is no such thing."""
    devices: ClassVar[tuple[str, ...]] = ("cpu",)
    """Kinds of device the model can be trained on; asked for another, it takes the CPU."""
    folds_in: bool = False
    """A list can be made of a history alone, without training; see ``recommend_for``."""

    def __init__(
        self, config: ModelConfig | None = None, *, device: str = "cpu", seed: int = 0, threads: int = 1
    ) -> None:
        config = self.config_class() if config is None else config
        if not isinstance(config, self.config_class):
            raise InvalidConfig(
                f"{self.name} wants a {self.config_class.__name__}, not a {type(config).__name__}"
            )
        if threads < 1:
            raise InvalidConfig(f"threads must be at least 1, not {threads}")
        self.config = config
        self.device = device if device.partition(":")[0] in self.devices else "cpu"
        self.seed = seed
        self.threads = threads
        self._shape: tuple[int, int] | None = None
        self._ranker: VectorRanker = ExactRanker(threads=threads)
        self._restricted: tuple[ItemVectors, NDArray[np.bool_], ItemVectors] | None = None

    @property
    def fitted(self) -> bool:
        """Whether it can recommend."""
        return self._shape is not None

    @property
    def n_users(self) -> int:
        """Users the model was fitted on."""
        return self._fitted_shape()[0]

    @property
    def n_items(self) -> int:
        """Items the model was fitted on."""
        return self._fitted_shape()[1]

    def fit(
        self,
        data: TrainingSet,
        *,
        progress: Progress | None = None,
        on_epoch: OnEpoch | None = None,
        checkpoints: Path | None = None,
    ) -> Self:
        """Train on ``data``; a second call starts from nothing.

        Args:
            progress: told the share done and a message, a few times at least.
            on_epoch: told of every epoch, by models that have epochs.
            checkpoints: folder, made where it is missing, in which a model that checkpoints keeps what it
                needs to go on after its process died; the caller removes it when the work is over.

        Raises:
            EmptyData: there is no user, no item or no interaction.
            TrainingFailed: a weight is not finite, or training diverges.
        """
        matrix = data.matrix
        if 0 in matrix.shape or matrix.nnz == 0:
            raise EmptyData(f"{self.name} cannot be trained: no interactions in a {matrix.shape} matrix")
        if not np.isfinite(matrix.data).all():
            raise TrainingFailed(f"{self.name} cannot be trained: a weight is NaN or infinite")
        self._shape = None
        run = FitRun(progress, on_epoch, checkpoints)
        run.report(0.0, f"{self.name}: training")
        with blas_threads(self.threads):
            self._fit(data, run)
        self._shape = (matrix.shape[0], matrix.shape[1])
        run.report(1.0, f"{self.name}: trained")
        return self

    def recommend(
        self,
        users: NDArray[np.integer],
        history: csr_matrix,
        k: int,
        *,
        drop_seen: bool = True,
        rules: ListRules = NO_RULES,
    ) -> Ranking:
        """The k best items of each user.

        Args:
            users: (n,) dense user indices, each below ``n_users``.
            history: (n, n_items), row r is what users[r] has touched; indices sorted or not.
            k: list length; shorter lists are padded with -1.
            drop_seen: leave out the items of ``history``.
            rules: what a list may hold.

        Raises:
            NotFitted: before ``fit``.
            InvalidId: a user index is out of range.
            ModelError: ``history``, ``k`` or a rule does not fit.
        """
        users = np.asarray(users)
        self._check(users, 0, history, k, rules)
        listed = (np.diff(history.indptr) > 0) | self.knows_cold(users)
        return self._ranked(self._rank, users, history, listed, k, rules, drop_seen=drop_seen)

    def recommend_for(
        self,
        history: csr_matrix,
        k: int,
        *,
        known_as: NDArray[np.integer] | None = None,
        drop_seen: bool = True,
        rules: ListRules = NO_RULES,
    ) -> Ranking:
        """The k best items for each history, which may have grown since the model was trained.

        Args:
            history: (n, n_items), as of ``recommend``; an empty one has an empty list.
            k: as of ``recommend``.
            known_as: (n,) the dense index the model knows each user by, -1 for whom it never saw; all by
                default. What else than the history a model learnt of a user counts for those.
            drop_seen, rules: as of ``recommend``.

        Raises:
            NotFitted: before ``fit``.
            CannotFoldIn: the model does not fold in.
            InvalidId: an index is out of range.
            ModelError: ``history``, ``k`` or a rule does not fit.
        """
        known = np.full(history.shape[0], -1, np.int64) if known_as is None else np.asarray(known_as)
        self._check(known, -1, history, k, rules)
        self.check_folds_in()

        listed = np.diff(history.indptr) > 0
        return self._ranked(self._rank_histories, known, history, listed, k, rules, drop_seen=drop_seen)

    def check_folds_in(self) -> None:
        """Refuse what ``recommend_for`` cannot do.

        Raises:
            CannotFoldIn: the model does not fold in.
        """
        if not self.folds_in:
            raise cannot_fold_in(self.name)

    def item_vectors(self) -> ItemVectors | None:
        """The catalogue that lists are searched in; None where scores are no products of vectors, and where a
        model has a search of its own.
        """
        return None

    def rank_with(self, ranker: VectorRanker) -> None:
        """Search ``item_vectors`` in another way from now on; without effect where there are none."""
        if self.item_vectors() is not None:
            self._ranker = ranker

    def knows_cold(self, users: NDArray[np.integer]) -> NDArray[np.bool_]:
        """Which of ``users`` (n,) get a list without any history: none, unless a model says otherwise.

        The others' is empty, and the reader falls back.
        """
        return np.zeros(len(users), np.bool_)

    def segments(self, k: int) -> Segments:
        """The lists of all segments; only where ``layout`` is "segments"."""
        raise ModelError(f"{self.name} keeps a list per user, it has no segments (k={k})")

    def refit_config(self) -> ModelConfig:
        """The configuration to refit with on all rows: as ``config``, with the number of epochs chosen."""
        return self.config

    def facts(self) -> dict[str, float]:
        """What was measured while it was fitted, for the artifact's manifest."""
        return {}

    def neighbours(self) -> NeighbourIndex | None:
        """The online neighbour index, where the model has one."""
        return None

    def arrays(self) -> Arrays:
        """Everything learnt, ready to be stored."""
        self._fitted_shape()
        return self._arrays()

    @classmethod
    def from_arrays(
        cls,
        arrays: Mapping[str, NDArray[np.generic]],
        config: ModelConfig,
        *,
        n_users: int,
        n_items: int,
        device: str = "cpu",
        seed: int = 0,
        threads: int = 1,
    ) -> Self:
        """A fitted model out of what ``arrays`` gave.

        Raises:
            CorruptArtifact: an array is missing or has the wrong shape, type or values.
        """
        model = cls(config, device=device, seed=seed, threads=threads)
        model._restore(arrays, n_users, n_items)
        model._shape = (n_users, n_items)
        return model

    @abstractmethod
    def _fit(self, data: TrainingSet, run: FitRun) -> None:
        """Learn from validated data."""

    @abstractmethod
    def _arrays(self) -> Arrays:
        """What ``_restore`` needs."""

    @abstractmethod
    def _restore(self, arrays: Mapping[str, NDArray[np.generic]], n_users: int, n_items: int) -> None:
        """Take the arrays back; see ``models.stored.take``."""

    def _rank(
        self,
        users: NDArray[np.integer],
        history: csr_matrix,
        k: int,
        *,
        drop_seen: bool,
        allowed: NDArray[np.bool_] | None = None,
    ) -> Ranking:
        """Lists of ``allowed`` items (n_items,), of all where None."""
        vectors = self._vectors(users, history)
        if vectors is not None:
            return self._rank_vectors(vectors, history, k, drop_seen=drop_seen, allowed=allowed)
        return rank_scores(
            lambda block: self._score(users[block], history[block]),
            len(users),
            history.shape[1],
            k,
            seen=history if drop_seen else None,
            allowed=allowed,
        )

    def _ranked(
        self,
        rank: Callable[..., Ranking],
        users: NDArray[np.integer],
        history: csr_matrix,
        listed: NDArray[np.bool_],
        k: int,
        rules: ListRules,
        *,
        drop_seen: bool,
    ) -> Ranking:
        """The lists of those ``listed`` (n,), by ``_rank`` or ``_rank_histories``; the others' stay empty."""
        rows = np.flatnonzero(listed)
        if len(rows) < len(users):
            users, history = users[rows], history[rows]

        def rank_some(some: NDArray[np.int64], depth: int) -> Ranking:
            whole = len(some) == len(users)
            asked, own = (users, history) if whole else (users[some], history[some])
            return rank(asked, own, depth, drop_seen=drop_seen, allowed=rules.allowed)

        with blas_threads(self.threads):
            found = rules.rank(rank_some, len(users), history.shape[1], k)
        if len(rows) == len(listed):
            return found
        ranking = Ranking.empty(len(listed), k)
        ranking.put(rows, found.items, found.scores)
        return ranking

    def _rank_histories(
        self,
        known_as: NDArray[np.integer],
        history: csr_matrix,
        k: int,
        *,
        drop_seen: bool,
        allowed: NDArray[np.bool_] | None = None,
    ) -> Ranking:
        """As ``_rank``, by nothing but the history where ``known_as`` is -1; only where ``folds_in``."""
        return self._rank(known_as, history, k, drop_seen=drop_seen, allowed=allowed)

    def _rank_vectors(
        self,
        vectors: Vectors,
        history: csr_matrix,
        k: int,
        *,
        drop_seen: bool,
        allowed: NDArray[np.bool_] | None,
    ) -> Ranking:
        items, held = vectors.items, self._restricted
        if allowed is not None:
            # What is allowed is sorted once for all blocks of users.
            if held is None or held[0] is not items or held[1] is not allowed:
                held = self._restricted = (items, allowed, items.only(allowed))
            vectors = Vectors(vectors.users, held[2])
        return self._ranker.rank(vectors, k, seen=history if drop_seen else None)

    def _vectors(self, users: NDArray[np.integer], history: csr_matrix) -> Vectors | None:  # noqa: ARG002
        """The vectors of ``users`` (n,) over the catalogue's, where a score is their product."""
        return None

    def _score(self, users: NDArray[np.integer], history: csr_matrix) -> Floats:
        """Scores (n, n_items) of a block of users, -inf where an item is no candidate; freshly allocated."""
        raise NotImplementedError

    def _check(
        self, users: NDArray[np.integer], lowest: int, history: csr_matrix, k: int, rules: ListRules
    ) -> None:
        n_users, n_items = self._fitted_shape()
        if users.size and (users.min() < lowest or users.max() >= n_users):
            raise InvalidId(f"user indices run from {lowest} to {n_users - 1}")
        if history.shape != (len(users), n_items):
            raise ModelError(f"history has shape {history.shape}, ({len(users)}, {n_items}) is wanted")
        if k < 1:
            raise ModelError(f"k must be at least 1, not {k}")
        if any(array is not None and len(array) != n_items for array in (rules.allowed, rules.groups)):
            raise ModelError(f"the rules are not those of a catalogue of {n_items} items")

    def _fitted_shape(self) -> tuple[int, int]:
        if self._shape is None:
            raise NotFitted(f"{self.name} has not been fitted")
        return self._shape
