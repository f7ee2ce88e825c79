"""Time the synthetic generator and print the shape of what it makes: python benchmarks/synth.py [users]."""

import sys
import time

import polars as pl

from interactions.synthetic import SyntheticShape, generate

HEADS = (10, 100, 1_000)


def main() -> None:
    shape = SyntheticShape.of_users(int(sys.argv[1])) if len(sys.argv) > 1 else SyntheticShape()
    start = time.perf_counter()
    data = generate(shape)
    seconds = time.perf_counter() - start
    rows = data.interactions
    views = rows["item_id"].value_counts(sort=True)["count"]
    per_user = rows["user_id"].value_counts()["count"]
    print(f"{rows.height:,} interactions, {len(per_user):,} users, {len(views):,} items in {seconds:.1f} s")
    for head in HEADS:
        print(f"the top {head:,} items take {views.head(head).sum() / rows.height:.1%} of the views")
    print(
        f"views per user: mean {per_user.mean():.2f}, median {per_user.median():.0f}, most {per_user.max()}"
    )
    distinct = rows.select(pl.struct("user_id", "item_id").n_unique()).item()
    print(f"pairs that occur twice: {rows.height - distinct:,}")


if __name__ == "__main__":
    main()
