"""What the two autoencoders share: configuration, training, and ranking by what the decoder ends with."""

from collections.abc import Mapping
from itertools import pairwise
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from interactions.training_set import TrainingSet
from models.base import Arrays, ModelConfig
from models.deep.batches import Histories
from models.deep.config import AutoencoderConfig
from models.deep.devices import generator
from models.deep.holding_out import HoldOut
from models.deep.layers import Layer, root_mean_weights, take_layer
from models.deep.loop import Batch
from models.deep.losses import kl_to_standard_normal, multinomial_loss
from models.deep.networks import Autoencoder, input_weights
from models.deep.recommender import DeepRecommender
from models.fit_run import FitRun
from models.ranking import ItemVectors, Vectors
from models.stored import take, take_finite


class AutoencoderRecommender(DeepRecommender):
    """Base of the autoencoders: any history can be encoded, so new events count without training.

    A score is a product of the decoder's last hidden layer and an item's output weights. So a trained
    model ranks with numpy alone, by float64 scores, and a list depends on its history only.
    """

    config_class: ClassVar[type[ModelConfig]] = AutoencoderConfig
    variational: ClassVar[bool] = False
    folds_in = True

    config: AutoencoderConfig
    _input: Layer
    _hidden: list[Layer]
    _output: ItemVectors

    def _train(self, data: TrainingSet, held_out: HoldOut | None, device: torch.device, run: FitRun) -> None:
        kept = data.matrix if held_out is None else held_out.kept
        popularity = torch.from_numpy(np.bincount(kept.indices, minlength=kept.shape[1]))
        network = Autoencoder(
            popularity,
            self.config.layers(data.n_items),
            variational=self.variational,
            numbers=generator(torch.device("cpu"), self.seed),
        ).to(device)
        histories = Histories(kept, device)
        self._descend(
            network,
            lambda batch: self._loss(network, histories, batch),
            n_examples=len(histories.users),
            held_out=held_out,
            take_weights=lambda: self._take_weights(network),
            arrays=(data.matrix.indptr, data.matrix.indices),
            run=run,
        )

    def _loss(self, network: Autoencoder, histories: Histories, batch: Batch) -> torch.Tensor:
        bags = histories.bags(histories.users[batch.examples])
        code = network.encode(bags, input_weights(bags, self.config.dropout, batch.generator))
        penalty = torch.zeros((), device=code.device)
        if self.variational:
            mean, log_variance = code.float().chunk(2, dim=1)
            noise = torch.randn(mean.shape, generator=batch.generator, device=mean.device)
            code = mean + noise * (log_variance / 2).exp()
            penalty = self._kl_weight(batch.update) * kl_to_standard_normal(mean, log_variance)
        logits, biases = network.decode(code), network.output_bias
        return multinomial_loss(logits, biases, bags.owners, bags.items, bags.counts) + penalty

    def _kl_weight(self, update: int) -> float:
        """What the KL term counts at an update; where not variational, there is none."""
        raise NotImplementedError

    def _take_weights(self, network: Autoencoder) -> None:
        weights = {name: value.cpu().numpy() for name, value in network.state_dict().items()}
        places = [("encoder", i) for i in range(len(network.encoder))]
        places += [("decoder", i) for i in range(len(network.decoder))]
        self._input = (weights["input_weight"], weights["input_bias"])
        self._hidden = [(weights[f"{p}.{i}.weight"], weights[f"{p}.{i}.bias"]) for p, i in places]
        self._output = ItemVectors(weights["output_weight"], weights["output_bias"])

    def item_vectors(self) -> ItemVectors | None:
        return self._output

    def _vectors(self, users: NDArray[np.integer], history: csr_matrix) -> Vectors:  # noqa: ARG002
        return Vectors(self._decoded(history), self._output)

    def _decoded(self, history: csr_matrix) -> NDArray[np.float32]:
        """The decoder's last hidden layer (n, width) for histories (n, n_items), nothing dropped."""
        code = (root_mean_weights(history) @ self._input[0]).astype(np.float64) + self._input[1]
        for place, (weight, bias) in enumerate(self._hidden):
            code = self._activated(code, place) @ weight.T.astype(np.float64) + bias
        return self._activated(code, len(self._hidden)).astype(np.float32)

    def _activated(self, code: NDArray[np.float64], place: int) -> NDArray[np.float64]:
        """What leaves layer ``place``: of the one in the middle of a variational network, the mean."""
        if self.variational and place == len(self._hidden) // 2:
            return code[:, : code.shape[1] // 2]
        return np.tanh(code)

    def _arrays(self) -> Arrays:
        arrays: Arrays = {"best_epoch": np.array([self._best_epoch], np.int64)}
        for name, (weight, bias) in self._named_layers():
            arrays |= {f"{name}_weight": weight, f"{name}_bias": bias}
        return arrays

    def _named_layers(self) -> list[tuple[str, Layer]]:
        hidden = [(f"hidden_{place}", layer) for place, layer in enumerate(self._hidden)]
        return [
            ("input", self._input),
            *hidden,
            ("output", (self._output.rows, np.asarray(self._output.biases))),
        ]

    def _restore(self, arrays: Mapping[str, NDArray[np.generic]], n_users: int, n_items: int) -> None:  # noqa: ARG002
        dims = self.config.layers(n_items)
        widths = (*dims[:-1], 2 * dims[-1]) if self.variational else dims
        shapes = [*zip(widths[1:], dims[:-1], strict=True), *reversed(list(pairwise(dims)))]
        self._input = (
            take_finite(arrays, "input_weight", (n_items, widths[0])),
            take_finite(arrays, "input_bias", (widths[0],)),
        )
        self._hidden = [take_layer(arrays, f"hidden_{place}", shape) for place, shape in enumerate(shapes)]
        self._output = ItemVectors(*take_layer(arrays, "output", (n_items, dims[0])))
        self._best_epoch = int(take(arrays, "best_epoch", np.int64, (1,))[0])
