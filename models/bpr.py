"""Matrix factorisation for pairwise ranking; implicit does the sampling and the steps."""

import time
from collections.abc import Mapping
from typing import ClassVar

import numpy as np
from pydantic import Field

from interactions.training_set import TrainingSet
from models.base import ModelConfig
from models.factors import FactorConfig, FactorRecommender, check_factors, without_untouched
from models.fit_run import Epoch, FitRun
from models.linear import touched
from models.ranking import ItemVectors, Vectors
from models.space import Dimension, Floats, Ints
from models.threads import blas_threads


class BprConfig(FactorConfig):
    """factors: length of a vector, the item's bias aside; learning_rate: length of a step;
    regularization: weight of the vectors' own size; iterations: each draws as many pairs as there are
    interactions.
    """

    factors: int = Field(32, ge=1, le=1024)
    learning_rate: float = Field(0.02, gt=0)
    regularization: float = Field(0.03, ge=0)
    iterations: int = Field(50, ge=1, le=10_000)

    space: ClassVar[Mapping[str, Dimension]] = {
        "factors": Ints(16, 256, log=True),
        "learning_rate": Floats(0.005, 0.2, log=True),
        "regularization": Floats(0.0005, 0.1, log=True),
        "iterations": Ints(20, 400, log=True),
    }


class Bpr(FactorRecommender):
    """S. Rendle, C. Freudenthaler, Z. Gantner, L. Schmidt-Thieme, "BPR: Bayesian Personalized Ranking from
    Implicit Feedback", UAI 2009, with a bias per item.

    Negatives are drawn by popularity, and left out where the user has touched them. It trains on one thread
    whatever ``threads`` says: threads would write into each other's vectors, and a seed would no longer give
    the same lists. An item nobody touched has learnt nothing and is no candidate.
    """

    name = "bpr"
    optimizer = "sgd"
    config_class: ClassVar[type[ModelConfig]] = BprConfig

    has_biases = True

    config: BprConfig

    def _fit(self, data: TrainingSet, run: FitRun) -> None:
        # Ranking needs none of it. It brings a BLAS, so that it comes before the limit.
        from implicit.cpu.bpr import BayesianPersonalizedRanking  # noqa: PLC0415

        config = self.config
        ones = touched(data.matrix)
        with blas_threads(1):
            model = BayesianPersonalizedRanking(
                factors=config.factors,
                learning_rate=config.learning_rate,
                regularization=config.regularization,
                iterations=config.iterations,
                dtype=np.float32,
                num_threads=1,
                random_state=self.seed,
            )
            began = time.monotonic()

            def after_iteration(iteration: int, *_counts: float) -> None:
                nonlocal began
                number = iteration + 1
                check_factors(
                    "bpr", number, model.user_factors, model.item_factors, advice="lower learning_rate"
                )
                now = time.monotonic()
                run.epoch_done(Epoch(number, None, now - began))
                run.report(number / config.iterations, f"bpr: iteration {number} of {config.iterations}")
                began = now

            model.fit(ones, show_progress=False, callback=after_iteration)
        self._factors = Vectors(
            np.ascontiguousarray(model.user_factors[:, : config.factors]),
            ItemVectors(
                np.ascontiguousarray(model.item_factors[:, : config.factors]),
                without_untouched(model.item_factors[:, config.factors], ones),
            ),
        )
