"""The denoising autoencoder."""

from models.deep.autoencoder import AutoencoderRecommender


class DenoisingAe(AutoencoderRecommender):
    """Mult-DAE: D. Liang, R. Krishnan, M. Hoffman, T. Jebara, "Variational Autoencoders for Collaborative
    Filtering", WWW 2018. Items are guessed from a user's others, with the multinomial likelihood.
    """

    name = "denoising_ae"
