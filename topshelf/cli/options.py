"""Options that several commands share, with one wording."""

from pathlib import Path
from typing import Annotated

import typer

Json = Annotated[
    bool, typer.Option("--json", help="Print one line of JSON; progress and errors go to stderr.")
]
Params = Annotated[
    list[str] | None,
    typer.Option(
        "--param",
        "-p",
        metavar="NAME=VALUE",
        help="A hyper-parameter, as in factors=64; may be given several times.",
    ),
]
DatasetVersion = Annotated[
    str | None, typer.Option("--dataset", help="Dataset version to work on; the newest one by default.")
]
Detach = Annotated[
    bool, typer.Option("--detach", "-d", help="Enqueue and return; watch with `topshelf jobs`.")
]
Rules = Annotated[
    Path | None,
    typer.Option(
        "--rules",
        metavar="FILE",
        help="JSON of what lists may hold: allow, block (ids), categories, most_per_category; "
        "TOPSHELF_RULES_FILE by default.",
    ),
]
Url = Annotated[
    str | None, typer.Option("--url", help="The reader; this machine's, TOPSHELF_API_PORT, by default.")
]
Token = Annotated[
    str | None,
    typer.Option(
        "--token",
        help="Bearer token (others see it in ps); by default that of TOPSHELF_TOKENS_… or `topshelf up`.",
    ),
]
Profile = Annotated[
    bool,
    typer.Option(
        "--profile",
        help="Keep a profile of each stage and of the first chunks, where the workers have the watch extra; "
        "see `topshelf profile jobs`.",
    ),
]
ModelName = Annotated[
    str, typer.Argument(metavar="MODEL", help="A model's name; an unknown one is answered with the list.")
]
