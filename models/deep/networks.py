"""Autoencoders of what users touched; their input is bags of items, never a catalogue-wide row."""

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.deep.batches import Bags

_INPUT_SCALE = 0.05
_OUTPUT_SCALE = 0.01


class Autoencoder(nn.Module):
    """items → dims[0] → … → dims[-1] → … → dims[0] → items, tanh in between.

    A variational one has a Gaussian in the middle: its mean and log variance come out of the encoder.

    Args:
        popularity: (n_items,) how many users touched each item; the output biases start at its logarithm,
            so that nothing is spent on learning which items are popular.
        numbers: of the initial weights, on the CPU.
    """

    def __init__(
        self, popularity: Tensor, dims: tuple[int, ...], *, variational: bool, numbers: torch.Generator
    ) -> None:
        super().__init__()
        n_items = len(popularity)
        widths = [*dims[:-1], 2 * dims[-1]] if variational else list(dims)
        mirrored = dims[::-1]
        self.variational = variational
        self.input_weight = normal(n_items, widths[0], _INPUT_SCALE, numbers)
        self.input_bias = nn.Parameter(torch.zeros(widths[0]))
        self.encoder = nn.ModuleList(
            linear(before, after, numbers) for before, after in zip(dims[:-1], widths[1:], strict=True)
        )
        self.decoder = nn.ModuleList(linear(before, after, numbers) for before, after in pairwise(mirrored))
        self.output_weight = normal(n_items, dims[0], _OUTPUT_SCALE, numbers)
        self.output_bias = nn.Parameter(log_popularity(popularity))

    def encode(self, bags: Bags, weights: Tensor) -> Tensor:
        """What comes out of the encoder, (n, dims[-1]), twice as wide where variational.

        Args:
            weights: (entries,) float32, what each item of ``bags`` counts.
        """
        code = self.input_bias + functional.embedding_bag(
            bags.items, self.input_weight, bags.offsets, mode="sum", per_sample_weights=weights
        )
        for layer in self.encoder:
            code = layer(torch.tanh(code))
        return code

    def decode(self, code: Tensor) -> Tensor:
        """Logits (n, n_items) of a code (n, dims[-1]), the output biases not added yet."""
        hidden = code if self.variational else torch.tanh(code)
        for layer in self.decoder:
            hidden = torch.tanh(layer(hidden))
        return functional.linear(hidden, self.output_weight)


def input_weights(bags: Bags, dropout: float, numbers: torch.Generator) -> Tensor:
    """(entries,) float32: 1 / √count each, so that a row's length is 1; then a share of them dropped."""
    weights = bags.counts.float().rsqrt()[bags.owners]
    if dropout == 0:
        return weights
    kept = torch.rand(len(weights), generator=numbers, device=weights.device) >= dropout
    return weights * kept / (1 - dropout)


def log_popularity(popularity: Tensor) -> Tensor:
    """(n_items,) float32, the logarithm of each item's share of all interactions, none of it zero."""
    smoothed = popularity.double() + 0.1
    return (smoothed / smoothed.sum()).log().float()


def normal(rows: int, columns: int, scale: float, numbers: torch.Generator) -> nn.Parameter:
    """A weight (rows, columns) drawn from a normal distribution of standard deviation ``scale``."""
    return nn.Parameter(torch.randn(rows, columns, generator=numbers) * scale)


def linear(before: int, after: int, numbers: torch.Generator) -> nn.Linear:
    """A layer with weights drawn as X. Glorot and Y. Bengio say (AISTATS 2010), and biases of 0."""
    layer = nn.Linear(before, after, device="meta").to_empty(device="cpu")
    with torch.no_grad():
        layer.weight.normal_(std=(2 / (before + after)) ** 0.5, generator=numbers)
        layer.bias.zero_()
    return layer
