"""Hyper-parameters of the models made by lightfm, which is not imported."""

from collections.abc import Mapping
from typing import ClassVar, Literal

from pydantic import Field

from models.factors import FactorConfig
from models.space import Choice, Dimension, Floats, Ints


class LightFmConfig(FactorConfig):
    """factors: length of a vector, the bias aside; loss: "warp" draws items until one ranks too high, at most
    ``max_sampled``; "bpr" draws one; "logistic" sees touched items only, as ones;
    learning_rate: first step of adagrad's; user_regularization, item_regularization: L2, per step;
    epochs: passes over the interactions; features: use those of users and items, where the data have any.
    """

    loss: Literal["warp", "bpr", "logistic"] = "warp"
    learning_rate: float = Field(0.05, gt=0)
    user_regularization: float = Field(0.0, ge=0)
    item_regularization: float = Field(0.0, ge=0)
    max_sampled: int = Field(30, ge=1, le=10_000)
    epochs: int = Field(20, ge=1, le=10_000)
    features: bool = True

    space: ClassVar[Mapping[str, Dimension]] = {
        "factors": Ints(16, 256, log=True),
        "loss": Choice(("warp", "bpr")),
        "learning_rate": Floats(0.005, 0.1, log=True),
        "user_regularization": Floats(1e-7, 1e-4, log=True),
        "item_regularization": Floats(1e-7, 1e-4, log=True),
        "max_sampled": Ints(10, 200, log=True),
        "epochs": Ints(5, 60, log=True),
    }


class LightFmAnnConfig(LightFmConfig):
    """links: of an item in the graph; ef_construction: items looked at to place one; ef: items kept in sight
    by a search, more find more and take longer.
    """

    links: int = Field(32, ge=2, le=256)
    ef_construction: int = Field(200, ge=4, le=4096)
    ef: int = Field(200, ge=1, le=4096)
