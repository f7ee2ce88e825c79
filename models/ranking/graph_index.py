"""Approximate search for the items with the largest inner product; nmslib does the searching."""

import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from topshelf.errors import CorruptArtifact

_FILE = "index"


class InnerProductIndex:
    """A graph of small worlds over item vectors: Y. Malkov, D. Yashunin, "Efficient and Robust Approximate
    Nearest Neighbor Search Using Hierarchical Navigable Small World Graphs", TPAMI 2020 (HNSW).
    """

    def __init__(self, graph: Any) -> None:
        self._graph = graph

    @classmethod
    def build(
        cls,
        items: NDArray[np.integer],
        vectors: NDArray[np.float32],
        *,
        links: int,
        ef_construction: int,
        threads: int = 1,
    ) -> Self:
        """Index ``vectors`` (n, d), n at least 1, under the numbers ``items`` (n,).

        With one thread the same vectors give the same graph.

        Args:
            links: of a node, at most twice that many on the lowest layer; ef_construction: nodes looked at
                to find them.
        """

        def make() -> Any:
            graph = _empty_graph()
            graph.addDataPointBatch(vectors, items.astype(np.int32))
            graph.createIndex(
                {"M": links, "efConstruction": ef_construction, "indexThreadQty": threads, "post": 0},
                print_progress=False,
            )
            return graph

        # nmslib draws a node's layer from random numbers that each thread begins anew.
        with ThreadPoolExecutor(1) as fresh_thread:
            return cls(fresh_thread.submit(make).result())

    def search(self, queries: NDArray[np.float32], k: int, *, ef: int, threads: int) -> NDArray[np.int32]:
        """The k items found for each of ``queries`` (n, d): (n, k) int32, in no exact order, padded with -1.

        Args:
            ef: nodes kept in sight while searching, at least k are.
        """
        self._graph.setQueryTimeParams({"efSearch": max(ef, k)})
        found = np.full((len(queries), k), -1, np.int32)
        for row, (items, _) in enumerate(self._graph.knnQueryBatch(queries, k, num_threads=threads)):
            found[row, : len(items)] = items
        return found

    def to_array(self) -> NDArray[np.uint8]:
        """The graph with its vectors, (bytes,), as nmslib writes it."""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / _FILE
            self._graph.saveIndex(str(path), save_data=False)
            return np.frombuffer(path.read_bytes(), np.uint8)

    @classmethod
    def from_array(cls, content: NDArray[np.uint8]) -> Self:
        """What ``to_array`` wrote.

        Raises:
            CorruptArtifact: nmslib cannot read it.
        """
        graph = _empty_graph()
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / _FILE
            path.write_bytes(content.tobytes())
            try:
                graph.loadIndex(str(path), load_data=False)
            except (RuntimeError, ValueError) as exc:
                raise CorruptArtifact(f"the index cannot be read: {exc}") from exc
        return cls(graph)


def _empty_graph() -> Any:
    # Imported where a graph is made: the wheel writes to stderr when it is.
    import nmslib  # noqa: PLC0415

    return nmslib.init(method="hnsw", space="negdotprod", data_type=nmslib.DataType.DENSE_VECTOR)
