"""The network of the two-tower model."""

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.deep.batches import Bags
from models.deep.networks import linear, log_popularity, normal

_SCALE = 0.1


class TwoTowers(nn.Module):
    """User and item vectors of length 1. An item's embedding stands for it in both towers.

    A user is the sum of the embeddings of the items touched, over the root of their number, and of the
    user's features; an item is its embedding and those of its features. Layers with tanh between them may
    follow, each tower its own.

    Args:
        popularity: (n_items,) how many users touched each item; the item biases start at its logarithm.
        user_features, item_features: how many there are.
        hidden: widths of the layers in between; none for no layers at all.
        numbers: of the initial weights, on the CPU.
    """

    def __init__(
        self,
        popularity: Tensor,
        factors: int,
        hidden: tuple[int, ...],
        *,
        user_features: int,
        item_features: int,
        numbers: torch.Generator,
    ) -> None:
        super().__init__()
        self.item_weight = normal(len(popularity), factors, _SCALE, numbers)
        self.item_bias = nn.Parameter(log_popularity(popularity))
        self.user_feature_weight = normal(user_features, factors, _SCALE, numbers)
        self.item_feature_weight = normal(item_features, factors, _SCALE, numbers)
        widths = [factors, *hidden, factors] if hidden else []
        self.user_layers = nn.ModuleList(linear(a, b, numbers) for a, b in pairwise(widths))
        self.item_layers = nn.ModuleList(linear(a, b, numbers) for a, b in pairwise(widths))

    def users(self, history: Bags, weights: Tensor, features: Bags) -> Tensor:
        """The vectors of users, (n, factors).

        Args:
            weights: (entries,) float32, what each item of ``history`` counts.
        """
        summed = functional.embedding_bag(
            history.items, self.item_weight, history.offsets, mode="sum", per_sample_weights=weights
        )
        return _vectors(summed + _mean(features, self.user_feature_weight), self.user_layers)

    def items(self, items: Tensor, features: Bags) -> Tensor:
        """The vectors of ``items`` (n,) int64: (n, factors)."""
        own = functional.embedding(items, self.item_weight)
        return _vectors(own + _mean(features, self.item_feature_weight), self.item_layers)


def history_weights(history: Bags, left_out: Tensor, dropout: float, numbers: torch.Generator) -> Tensor:
    """(entries,) float32: 1 / √count for what is kept of a row, all but ``left_out`` (n,) and the dropped."""
    kept = history.items != left_out[history.owners]
    if dropout:
        kept &= torch.rand(len(kept), generator=numbers, device=kept.device) >= dropout
    weights = kept.float()
    counts = torch.zeros(len(history), device=kept.device).index_add_(0, history.owners, weights)
    return weights * counts.clamp_min(1).rsqrt()[history.owners]


def _mean(features: Bags, weight: Tensor) -> Tensor:
    """The mean embedding of each row's features, 0 for a row without any."""
    if not len(weight):
        return weight.new_zeros(len(features), weight.shape[1])
    return functional.embedding_bag(features.items, weight, features.offsets, mode="mean")


def _vectors(summed: Tensor, layers: nn.ModuleList) -> Tensor:
    for place, layer in enumerate(layers):
        summed = layer(torch.tanh(summed) if place else summed)
    return functional.normalize(summed.float(), dim=1)
