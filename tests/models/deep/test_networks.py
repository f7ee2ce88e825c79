"""The autoencoders' network and its input."""

import numpy as np
import pytest
import torch
from scipy.sparse import csr_matrix

from models.deep.batches import Bags, Histories
from models.deep.devices import generator
from models.deep.networks import Autoencoder, input_weights

CPU = torch.device("cpu")


def bags() -> Bags:
    matrix = csr_matrix(np.array([[1, 1, 1, 1, 0], [0, 0, 0, 0, 1]], np.float32))
    return Histories(matrix, CPU).bags(torch.tensor([0, 1]))


def test_a_users_input_has_length_one() -> None:
    assert input_weights(bags(), 0.0, generator(CPU, 0)).tolist() == [0.5] * 4 + [1.0]


def test_dropout_leaves_items_out_and_makes_up_for_them() -> None:
    histories = Histories(csr_matrix(np.ones((500, 4), np.float32)), CPU)
    weights = input_weights(histories.bags(histories.users), 0.75, generator(CPU, 0))
    assert set(weights.tolist()) == {0.0, 2.0}
    assert weights.mean().item() == pytest.approx(0.5, abs=0.1)


@pytest.mark.parametrize("variational", [False, True])
@pytest.mark.parametrize("dims", [(6,), (6, 3), (6, 4, 3)])
def test_the_decoder_mirrors_the_encoder(dims: tuple[int, ...], variational: bool) -> None:
    network = Autoencoder(torch.ones(5), dims, variational=variational, numbers=generator(CPU, 0))
    code = network.encode(bags(), input_weights(bags(), 0.0, generator(CPU, 0)))
    assert code.shape == (2, dims[-1] * (2 if variational else 1))
    assert network.decode(code[:, : dims[-1]]).shape == (2, 5)
    assert [layer.out_features for layer in network.decoder] == list(dims[-2::-1])
    assert network.output_weight.shape == (5, dims[0])


def test_the_output_begins_at_the_items_popularity() -> None:
    network = Autoencoder(
        torch.tensor([99.9, 0.0, 899.9]), (4,), variational=False, numbers=generator(CPU, 0)
    )
    share = network.output_bias.exp()
    assert share.sum().item() == pytest.approx(1)
    assert (share[2] / share[0]).item() == pytest.approx(9, rel=1e-3)
    assert share[1] > 0
