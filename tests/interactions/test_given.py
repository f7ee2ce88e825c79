from pathlib import Path

import numpy as np
import pytest
from scipy.sparse import csr_matrix, save_npz

from interactions.given import read_split
from tests.interactions.conftest import WriteFile
from topshelf.errors import EmptyData, UnreadableFile


def test_lists_of_items_become_matrices_of_one_shape(write: WriteFile, tmp_path: Path) -> None:
    write("m1/train.txt", "0 4 2\r\n2 1\r\n")
    write("m1/test.txt", "0 3\n1\n")
    split = read_split(tmp_path / "m1")
    assert split.name == "m1"
    assert split.train.matrix.toarray().tolist() == [[0, 0, 1, 0, 1], [0, 0, 0, 0, 0], [0, 1, 0, 0, 0]]
    assert split.test.toarray()[0].tolist() == [0, 0, 0, 1, 0]


def test_saved_matrices_are_read(tmp_path: Path) -> None:
    save_npz(tmp_path / "train.npz", csr_matrix(np.eye(2)))
    save_npz(tmp_path / "test.npz", csr_matrix(np.fliplr(np.eye(2))))
    assert read_split(tmp_path).test.toarray().tolist() == [[0, 1], [1, 0]]


@pytest.mark.parametrize("text", ["0 a\n", "0 -3\n"])
def test_lists_of_anything_else_are_unreadable(write: WriteFile, tmp_path: Path, text: str) -> None:
    write("train.txt", text)
    write("test.txt", "0 1\n")
    with pytest.raises(UnreadableFile):
        read_split(tmp_path)


def test_a_side_without_pairs_is_empty(write: WriteFile, tmp_path: Path) -> None:
    write("train.txt", "0 1\n")
    write("test.txt", "0\n")
    with pytest.raises(EmptyData):
        read_split(tmp_path)


def test_broken_or_missing_files_are_unreadable(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFile, match=r"neither train\.npz"):
        read_split(tmp_path)
    for side in ("train", "test"):
        (tmp_path / f"{side}.npz").write_bytes(b"not a zip")
    with pytest.raises(UnreadableFile, match=r"train\.npz"):
        read_split(tmp_path)


def test_the_published_splits_have_their_published_sizes(test_data: Path) -> None:
    gowalla = read_split(test_data / "gowalla")
    assert gowalla.train.matrix.shape == (29_858, 40_981)
    assert (gowalla.train.matrix.nnz, gowalla.test.nnz) == (810_128, 217_242)
    movielens = read_split(test_data / "ml-1m-m1")
    assert movielens.train.matrix.shape == (6_022, 3_043)
    assert (movielens.train.matrix.nnz, movielens.test.nnz) == (796_244, 99_455)
