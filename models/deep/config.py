"""Hyper-parameters of the torch models; torch is not imported."""

from collections.abc import Mapping
from typing import Annotated, ClassVar

from pydantic import Field

from models.base import ModelConfig
from models.space import Choice, Dimension, Floats


class DeepConfig(ModelConfig):
    """lr, wd: Adam's learning rate and weight decay; batch_size: examples of a batch; epochs: at most;
    patience: epochs without a better NDCG@10 after which to stop, 0 for never; valid_share: share of each
    user's items held out to measure it by, 0 for none (then all epochs are trained); mixed_precision:
    bfloat16 products on a CPU too, on a GPU they always are.
    """

    lr: float = Field(3e-3, gt=0)
    wd: float = Field(0.0, ge=0)
    batch_size: int = Field(500, ge=1)
    epochs: int = Field(100, ge=1, le=10_000)
    patience: int = Field(10, ge=0)
    valid_share: float = Field(0.1, ge=0, lt=1)
    mixed_precision: bool = False


class AutoencoderConfig(DeepConfig):
    """enc_dims: widths of the encoder's layers, the decoder mirrors them; a first width equal to the
    catalogue's size may lead, [6180, 600, 200] is [600, 200] for 6,180 items;
    dropout: share of a user's items left out of the input; batch_size: users of a batch; the others as of
    ``DeepConfig``.
    """

    enc_dims: tuple[Annotated[int, Field(ge=1, le=1_000_000)], ...] = Field((600,), min_length=1)
    dropout: float = Field(0.5, ge=0, lt=1)

    space: ClassVar[Mapping[str, Dimension]] = {
        "enc_dims": Choice(((200,), (400,), (600,), (1000,), (600, 200))),
        "dropout": Floats(0.2, 0.8),
        "lr": Floats(2e-4, 4e-3, log=True),
        "batch_size": Choice((128, 256, 500, 1000)),
    }

    def layers(self, n_items: int) -> tuple[int, ...]:
        """``enc_dims`` without the catalogue's size, where it leads."""
        leads = len(self.enc_dims) > 1 and self.enc_dims[0] == n_items
        return self.enc_dims[1:] if leads else self.enc_dims


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


class DssmConfig(DeepConfig):
    """factors: length of a vector; hidden: widths of the layers between the sums of embeddings and the
    vectors, none for the sums themselves; temperature: what cosines are divided by;
    correction: how much of an item's popularity in the batch is taken off its score, 1 for all of it;
    history_dropout: share of a user's history left out; batch_size: interactions of a batch, each the others'
    negative; features: use those of users and items, where there are any; the others as of ``DeepConfig``.
    """

    factors: int = Field(128, ge=1, le=1024)
    hidden: tuple[Annotated[int, Field(ge=1, le=65_536)], ...] = ()
    temperature: float = Field(0.1, gt=0)
    correction: float = Field(1.0, ge=0, le=1)
    history_dropout: float = Field(0.0, ge=0, lt=1)
    lr: float = Field(2e-3, gt=0)
    batch_size: int = Field(2048, ge=2)
    epochs: int = Field(30, ge=1, le=10_000)
    patience: int = Field(5, ge=0)
    features: bool = True

    space: ClassVar[Mapping[str, Dimension]] = {
        "factors": Choice((32, 64, 128, 256)),
        "hidden": Choice(((), (128,), (256, 128))),
        "temperature": Floats(0.05, 0.4, log=True),
        "correction": Floats(0, 1),
        "history_dropout": Floats(0, 0.7),
        "lr": Floats(5e-4, 1e-2, log=True),
        "batch_size": Choice((512, 1024, 2048, 4096)),
    }
