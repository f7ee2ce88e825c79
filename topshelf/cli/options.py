"""Options that several commands share, with one wording."""

from typing import Annotated

import typer

Json = Annotated[bool, typer.Option("--json", help="Print one line of JSON instead of a table.")]
Params = Annotated[
    list[str] | None,
    typer.Option(
        "--param", "-p", metavar="NAME=VALUE", help="A hyper-parameter; may be given several times."
    ),
]
DatasetVersion = Annotated[
    str | None, typer.Option("--dataset", help="Dataset version to work on; the newest one by default.")
]
Detach = Annotated[
    bool, typer.Option("--detach", "-d", help="Enqueue and return; watch with `topshelf jobs`.")
]
ModelName = Annotated[str, typer.Argument(metavar="MODEL", help="A model, such as als.")]
