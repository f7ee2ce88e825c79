"""The variational autoencoder."""

from collections.abc import Mapping
from typing import ClassVar

from pydantic import Field

from models.base import ModelConfig
from models.deep.autoencoder import AutoencoderConfig, AutoencoderRecommender
from models.space import Dimension, Floats


class VariationalAeConfig(AutoencoderConfig):
    """anneal: weight of the KL term at the end; anneal_steps: updates in which it gets there from 0,
    0 for at once.
    """

    anneal: float = Field(0.3, ge=0)
    anneal_steps: int = Field(500, ge=0)

    space: ClassVar[Mapping[str, Dimension]] = {
        **AutoencoderConfig.space,
        "anneal": Floats(0.02, 0.8, log=True),
    }


class VariationalAe(AutoencoderRecommender):
    """Mult-VAE: D. Liang, R. Krishnan, M. Hoffman, T. Jebara, "Variational Autoencoders for Collaborative
    Filtering", WWW 2018. As the denoising one, with a Gaussian code whose KL divergence from the standard
    normal is annealed to less than its full weight. Lists are made with the code's mean.
    """

    name = "variational_ae"
    config_class: ClassVar[type[ModelConfig]] = VariationalAeConfig
    variational = True

    config: VariationalAeConfig

    def _kl_weight(self, update: int) -> float:
        if not self.config.anneal_steps:
            return self.config.anneal
        return self.config.anneal * min(1.0, update / self.config.anneal_steps)
