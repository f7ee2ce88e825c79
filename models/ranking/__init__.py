"""From vectors or scores to lists: the best items of many users, ties to the lower index."""

from models.ranking.blocks import BLOCK_BYTES, Floats, ScoreBlock, rank_scores, top_k
from models.ranking.exact import ExactRanker, rank_vectors
from models.ranking.lists import Ranking, contained, keep_first
from models.ranking.ranker import VectorRanker
from models.ranking.rules import NO_RULES, ListRules
from models.ranking.vectors import ItemVectors, Vectors, rank_candidates

__all__ = [
    "BLOCK_BYTES",
    "NO_RULES",
    "ExactRanker",
    "Floats",
    "ItemVectors",
    "ListRules",
    "Ranking",
    "ScoreBlock",
    "VectorRanker",
    "Vectors",
    "contained",
    "keep_first",
    "rank_candidates",
    "rank_scores",
    "rank_vectors",
    "top_k",
]
