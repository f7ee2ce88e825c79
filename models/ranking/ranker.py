"""The seam between models with vectors and the ways to search them."""

from abc import ABC, abstractmethod

from scipy.sparse import csr_matrix

from models.ranking.lists import Ranking
from models.ranking.vectors import Vectors


class VectorRanker(ABC):
    """Ranks a catalogue of vectors for users; one implementation per way to search."""

    @abstractmethod
    def rank(self, vectors: Vectors, k: int, *, seen: csr_matrix | None = None) -> Ranking:
        """The k best candidates of each user, best first, ties to the lower item.

        Args:
            seen: (n_users, n_items); its items are left out.
        """
