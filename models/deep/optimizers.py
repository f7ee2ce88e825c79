"""How the torch models descend."""

import torch


def adam(network: torch.nn.Module, lr: float, wd: float) -> torch.optim.Adam:
    """Adam with weight decay on the weights; biases carry the popularity and are left alone."""
    weights = [value for value in network.parameters() if value.ndim > 1]
    biases = [value for value in network.parameters() if value.ndim <= 1]
    groups = [{"params": weights, "weight_decay": wd}, {"params": biases, "weight_decay": 0.0}]
    return torch.optim.Adam([group for group in groups if group["params"]], lr=lr, fused=True)
