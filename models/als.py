"""Matrix factorisation by alternating least squares; implicit does the solving."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from scipy.sparse import csr_matrix

from interactions.training_set import TrainingSet
from models.base import ModelConfig
from models.factors import FactorConfig, FactorRecommender, check_factors
from models.fit_run import Epoch, FitRun
from models.ranking import ItemVectors, Ranking, Vectors
from models.space import Dimension, Floats, Ints
from models.threads import blas_threads
from topshelf.errors import ModelError

if TYPE_CHECKING:
    from implicit.cpu.als import AlternatingLeastSquares


class AlsConfig(FactorConfig):
    """factors: length of a vector; regularization: weight of the vectors' own size;
    alpha: how much more an interaction counts than none, per unit of weight;
    weighted: take the interactions' weights, or 1 for each; iterations: sweeps over users and items.
    """

    regularization: float = Field(10.0, ge=0)
    alpha: float = Field(2.0, gt=0)
    weighted: bool = False
    iterations: int = Field(15, ge=1, le=1000)

    space: ClassVar[Mapping[str, Dimension]] = {
        "factors": Ints(32, 512, log=True),
        "regularization": Floats(0.1, 100, log=True),
        "alpha": Floats(1, 100, log=True),
        "iterations": Ints(5, 30),
    }


class Als(FactorRecommender):
    """Y. Hu, Y. Koren, C. Volinsky, "Collaborative Filtering for Implicit Feedback Datasets", ICDM 2008.

    Solved by conjugate gradients: G. Takács, I. Pilászy, D. Tikk, "Applications of the Conjugate Gradient
    Method for Implicit Feedback Collaborative Filtering", RecSys 2011.

    A history is folded in by solving the user's own normal equations, the items' vectors staying as they are.
    """

    name = "als"
    optimizer = "als"
    config_class: ClassVar[type[ModelConfig]] = AlsConfig
    folds_in = True

    config: AlsConfig

    def _fit(self, data: TrainingSet, run: FitRun) -> None:
        config = self.config
        with self._solver() as model:

            def after_iteration(iteration: int, seconds: float, _loss: float | None) -> None:
                check_factors(
                    "als",
                    iteration + 1,
                    model.user_factors,
                    model.item_factors,
                    advice="raise regularization or lower alpha",
                )
                run.epoch_done(Epoch(iteration + 1, None, seconds))
                run.report(
                    (iteration + 1) / config.iterations,
                    f"als: iteration {iteration + 1} of {config.iterations}",
                )

            model.fit(self._confidence(data.matrix), show_progress=False, callback=after_iteration)
        self._factors = Vectors(model.user_factors, ItemVectors(model.item_factors))

    def _rank_histories(
        self,
        known_as: NDArray[np.integer],  # noqa: ARG002
        history: csr_matrix,
        k: int,
        *,
        drop_seen: bool,
        allowed: NDArray[np.bool_] | None = None,
    ) -> Ranking:
        vectors = Vectors(self._folded(history), self._factors.items)
        return self._rank_vectors(vectors, history, k, drop_seen=drop_seen, allowed=allowed)

    def _folded(self, history: csr_matrix) -> NDArray[np.float32]:
        """User vectors (n, factors) for histories (n, n_items), the items' vectors being what they are."""
        with self._solver() as solver:
            solver.item_factors = self._factors.items.rows
            try:
                solved = solver.recalculate_user(np.arange(history.shape[0]), self._confidence(history))
            except ValueError as exc:
                raise ModelError(
                    f"als cannot fold a history in, its regularization is too low: {exc}"
                ) from exc
        vectors: NDArray[np.float32] = solved
        return vectors

    @contextmanager
    def _solver(self) -> Iterator["AlternatingLeastSquares"]:
        """implicit's, under a BLAS of one thread: with more it is ten times slower, and warns of it."""
        # Ranking needs none of it. It brings a BLAS, so that it comes before the limit.
        from implicit.cpu.als import AlternatingLeastSquares  # noqa: PLC0415

        config = self.config
        with blas_threads(1):
            yield AlternatingLeastSquares(
                factors=config.factors,
                regularization=config.regularization,
                alpha=config.alpha,
                iterations=config.iterations,
                dtype=np.float32,
                num_threads=self.threads,
                random_state=self.seed,
            )

    def _confidence(self, matrix: csr_matrix) -> csr_matrix:
        data = matrix.data if self.config.weighted else np.ones_like(matrix.data)
        return csr_matrix((data.astype(np.float32), matrix.indices, matrix.indptr), shape=matrix.shape)
