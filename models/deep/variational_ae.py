"""The variational autoencoder."""

from typing import ClassVar

from models.base import ModelConfig
from models.deep.autoencoder import AutoencoderRecommender
from models.deep.config import VariationalAeConfig


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
