"""Made-up features of users and items that follow the clusters planted, in part."""

from typing import Final

import numpy as np
import polars as pl

from interactions.columns import CATEGORIES, ITEM, TITLE, USER

AGES: Final = ("age_18_24", "age_25_34", "age_35_44", "age_45_54", "age_55_64", "age_65_inf")
INCOMES: Final = (
    "income_0_20",
    "income_20_40",
    "income_40_60",
    "income_60_90",
    "income_90_150",
    "income_150_inf",
)
SEXES: Final = ("F", "M")
GENRES: Final = (
    *("action", "adventure", "animation", "biography", "cartoons", "comedy", "crime", "detective"),
    *("documentary", "drama", "family", "fantasy", "history", "horror", "medical", "melodrama"),
    *("military", "music", "mystery", "nature", "science fiction", "sport", "thriller", "western"),
)
COUNTRIES: Final = ("Brazil", "France", "Germany", "India", "Japan", "Korea", "Mexico", "Turkey", "UK", "USA")
AGE_RATINGS: Final = (0, 6, 12, 16, 18)
FIRST_WORDS: Final = (
    *("Silent", "Golden", "Broken", "Distant", "Hidden", "Burning", "Frozen", "Crimson", "Last", "Second"),
    *("Empty", "Brave", "Secret", "Wild", "Lost", "Quiet", "Electric", "Paper", "Iron", "Velvet"),
    *("Midnight", "Northern", "Endless", "Small", "Perfect"),
)
SECOND_WORDS: Final = (
    *(
        "Harbour",
        "River",
        "Garden",
        "Letter",
        "Station",
        "Mountain",
        "Promise",
        "Shadow",
        "Orchard",
        "Island",
    ),
    *("Window", "Summer", "Winter", "Engine", "Mirror", "Voyage", "Kingdom", "Street", "Lantern", "Signal"),
    *("Bridge", "Witness", "Daughter", "Neighbour", "Horizon"),
)
FIDELITY: Final = 0.5
"""Share of users whose feature is their cluster's own."""


def user_frame(
    user_ids: np.ndarray, cluster: np.ndarray, n_clusters: int, rng: np.random.Generator
) -> pl.DataFrame:
    """user_id, age, income, sex (categories as text) and kids_flg (0 or 1); ``cluster`` is (n_users,)."""
    return pl.DataFrame(
        {
            USER: user_ids,
            "age": _named(AGES, _leaning(cluster, n_clusters, len(AGES), rng)),
            "income": _named(INCOMES, _leaning(cluster, n_clusters, len(INCOMES), rng)),
            "sex": _named(SEXES, _leaning(cluster, n_clusters, len(SEXES), rng)),
            "kids_flg": _leaning(cluster, n_clusters, 2, rng),
        }
    )


def item_frame(
    item_ids: np.ndarray, cluster: np.ndarray, n_clusters: int, rng: np.random.Generator
) -> pl.DataFrame:
    """item_id, title, categories (1 … 3 genres), and the features; ``cluster`` is (n_items,)."""
    count = len(item_ids)
    genres = np.stack([_leaning(cluster, n_clusters, len(GENRES), rng, 0.85), *_stray_genres(count, rng)])
    years = 2021 - np.minimum(rng.exponential(9.0, count), 80).astype(np.int32)
    return pl.DataFrame(
        {
            ITEM: item_ids,
            TITLE: _titles(count, rng),
            CATEGORIES: [
                [GENRES[g] for g in dict.fromkeys(column) if g >= 0] for column in genres.T.tolist()
            ],
            "content_type": _named(("film", "series"), _leaning(cluster, n_clusters, 2, rng)),
            "release_year": years,
            "countries": _named(COUNTRIES, _leaning(cluster, n_clusters, len(COUNTRIES), rng)),
            "for_kids": (rng.random(count) < 0.08).astype(np.int8),
            "age_rating": np.array(AGE_RATINGS, dtype=np.int8)[
                _leaning(cluster, n_clusters, len(AGE_RATINGS), rng)
            ],
        }
    )


def _leaning(
    cluster: np.ndarray, n_clusters: int, n_values: int, rng: np.random.Generator, fidelity: float = FIDELITY
) -> np.ndarray:
    """A value 0 … n_values - 1 per row: its cluster's own with ``fidelity``, else any; int8."""
    own = rng.permutation(np.arange(n_clusters, dtype=np.int8) % n_values)[cluster]
    stray = rng.integers(0, n_values, len(cluster), dtype=np.int8)
    return np.where(rng.random(len(cluster), dtype=np.float32) < fidelity, own, stray)


def _stray_genres(count: int, rng: np.random.Generator) -> list[np.ndarray]:
    """Two more genres per item, -1 for none; int8."""
    return [
        np.where(rng.random(count) < share, rng.integers(0, len(GENRES), count, dtype=np.int8), np.int8(-1))
        for share in (0.5, 0.2)
    ]


def _named(names: tuple[str, ...], codes: np.ndarray) -> pl.Series:
    return pl.Series(names, dtype=pl.String).gather(codes.astype(np.uint32))


def _titles(count: int, rng: np.random.Generator) -> list[str]:
    pairs = len(FIRST_WORDS) * len(SECOND_WORDS)
    order = rng.permutation(pairs)
    titles = []
    for number in range(count):
        first, second = divmod(int(order[number % pairs]), len(SECOND_WORDS))
        part = f" {number // pairs + 1}" if number >= pairs else ""
        titles.append(f"{FIRST_WORDS[first]} {SECOND_WORDS[second]}{part}")
    return titles
