"""Splits that others have published, read from their files."""

from pathlib import Path
from typing import Final

import numpy as np
from scipy.sparse import csr_matrix, load_npz

from interactions.splits import Split, split_given
from topshelf.errors import EmptyData, UnreadableFile

SIDES: Final = ("train", "test")
NPZ: Final = ".npz"
TEXT: Final = ".txt"


def read_split(folder: Path) -> Split:
    """The split in ``folder``: train.npz and test.npz, or train.txt and test.txt; see ``read_split_files``.

    The split takes the folder's name.

    Raises:
        UnreadableFile: when the files are missing or of another form.
        EmptyData: when a side has no pairs.
    """
    for form in (NPZ, TEXT):
        train, test = (folder / f"{side}{form}" for side in SIDES)
        if train.is_file() and test.is_file():
            return read_split_files(train, test, name=folder.name)
    raise UnreadableFile(f"{folder} has neither train.npz and test.npz nor train.txt and test.txt")


def read_split_files(train: Path, test: Path, *, name: str = "given") -> Split:
    """The split in two files of one form: scipy CSR (.npz), or text whose lines hold dense indices, a user
    and then the user's items.

    Raises:
        UnreadableFile: when a file is missing or of another form.
        EmptyData: when a side has no pairs.
    """
    if train.suffix == test.suffix == NPZ:
        return split_given(_read_npz(train), _read_npz(test), name=name)
    if NPZ in (train.suffix, test.suffix):
        raise UnreadableFile(f"{train} and {test} are not of one form")
    matrices = _matrices([_read_lists(train), _read_lists(test)])
    return split_given(*matrices, name=name)


def _read_npz(path: Path) -> csr_matrix:
    try:
        return csr_matrix(load_npz(path), dtype=np.float32)
    except FileNotFoundError as exc:
        raise UnreadableFile(f"there is no file {path}") from exc
    except (OSError, ValueError, KeyError, EOFError) as exc:
        raise UnreadableFile(f"{path} is not a sparse matrix saved by scipy: {exc}") from exc


def _read_lists(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Users and items of the pairs, (n_pairs,) int64 each."""
    try:
        lists = [np.array(line.split(), dtype=np.int64) for line in path.read_text("utf-8").splitlines()]
    except FileNotFoundError as exc:
        raise UnreadableFile(f"there is no file {path}") from exc
    except (OSError, ValueError) as exc:
        raise UnreadableFile(f"{path} is not a list of users and their items: {exc}") from exc
    lists = [one for one in lists if len(one) > 1]
    if not lists:
        raise EmptyData(f"{path} has no pairs")
    users = np.concatenate([np.repeat(one[0], len(one) - 1) for one in lists])
    items = np.concatenate([one[1:] for one in lists])
    if min(users.min(), items.min()) < 0:
        raise UnreadableFile(f"{path} holds a negative index")
    return users, items


def _matrices(sides: list[tuple[np.ndarray, np.ndarray]]) -> list[csr_matrix]:
    n_users, n_items = (int(max(side[axis].max() for side in sides)) + 1 for axis in (0, 1))
    matrices = []
    for users, items in sides:
        matrix = csr_matrix((np.ones(len(users), dtype=np.float32), (users, items)), shape=(n_users, n_items))
        matrix.data[:] = 1.0
        matrices.append(matrix)
    return matrices
