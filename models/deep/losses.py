"""Losses of the torch models: pure functions of tensors, each the mean over a batch, a float32 scalar."""

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional


def multinomial_loss(logits: Tensor, biases: Tensor, owners: Tensor, items: Tensor, counts: Tensor) -> Tensor:
    """-Σ log softmax(logits + biases)[item] over a user's items: the multinomial likelihood of them.

    D. Liang, R. Krishnan, M. Hoffman, T. Jebara, "Variational Autoencoders for Collaborative Filtering",
    WWW 2018. Computed in float32, some rows at a time, whatever type the logits have.

    Args:
        logits: (n, n_items); biases: (n_items,) float32; owners, items: (entries,) int64, row and column
            of what was touched, rows ascending; counts: (n,) int64, the entries of each row.
    """
    loss: Tensor = _MultinomialLoss.apply(  # type: ignore[no-untyped-call]
        logits, biases, owners, items, counts
    )
    return loss


def kl_to_standard_normal(mean: Tensor, log_variance: Tensor) -> Tensor:
    """KL(N(mean, exp(log_variance)) || N(0, 1)), summed over the dimensions; both are (n, d)."""
    mean, log_variance = mean.float(), log_variance.float()
    return 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).sum(dim=1).mean()


def in_batch_softmax_loss(scores: Tensor, log_frequencies: Tensor, excluded: Tensor | None = None) -> Tensor:
    """-log softmax of each example's own item among the batch's items, corrected for how often each is drawn.

    X. Yi et al., "Sampling-Bias-Corrected Neural Modeling for Large Corpus Item Recommendations",
    RecSys 2019.

    Args:
        scores: (n, n), of example r and the item of example c; the diagonal holds the positives.
        log_frequencies: (n,), log of the chance that an example's item is the one in column c.
        excluded: (n, n) bool, columns that are no negatives of a row, such as its own item a second time;
            the diagonal always counts.
    """
    corrected = scores.float() - log_frequencies
    if excluded is not None:
        own = torch.eye(len(scores), dtype=torch.bool, device=scores.device)
        corrected = corrected.masked_fill(excluded & ~own, -torch.inf)
    return functional.cross_entropy(corrected, torch.arange(len(scores), device=scores.device))


def bpr_loss(positive: Tensor, negative: Tensor) -> Tensor:
    """-log sigmoid(positive - negative), scores of any one shape.

    S. Rendle et al., "BPR: Bayesian Personalized Ranking from Implicit Feedback", UAI 2009.
    """
    return -functional.logsigmoid(positive.float() - negative.float()).mean()


class _MultinomialLoss(torch.autograd.Function):
    """The gradient by hand: autograd would make five float32 copies of the logits."""

    @staticmethod
    def forward(
        ctx: Any, logits: Tensor, biases: Tensor, owners: Tensor, items: Tensor, counts: Tensor
    ) -> Tensor:
        normalisers = torch.cat(
            [
                torch.logsumexp(part.float() + biases, dim=1)
                for part in torch.split(logits, _rows_at_once(logits))
            ]
        )
        ctx.save_for_backward(logits, biases, owners, items, counts, normalisers)
        touched = logits[owners, items].float() + biases[items]
        return ((counts * normalisers).sum() - touched.sum()) / len(logits)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, None, None, None]:
        logits, biases, owners, items, counts, normalisers = ctx.saved_tensors
        scale = grad / len(logits)
        logits_grad, biases_grad = torch.empty_like(logits), torch.zeros_like(biases)
        ends = counts.cumsum(0).tolist()
        rows = _rows_at_once(logits)
        for start in range(0, len(logits), rows):
            stop = min(start + rows, len(logits))
            entries = slice(ends[start - 1] if start else 0, ends[stop - 1])
            part = (logits[start:stop].float() + biases).sub_(normalisers[start:stop, None]).exp_()
            part *= counts[start:stop, None]
            part[owners[entries] - start, items[entries]] -= 1
            part *= scale
            biases_grad += part.sum(dim=0)
            logits_grad[start:stop] = part
        return logits_grad, biases_grad, None, None, None


def _rows_at_once(logits: Tensor) -> int:
    """Rows whose float32 copy stays within a processor's cache, or is small beside a GPU's memory."""
    block_bytes = 2**28 if logits.is_cuda else 2**23
    return max(1, block_bytes // (4 * logits.shape[1]))
