"""Options and arguments that several commands take, each described once."""

from __future__ import annotations

from typing import Annotated

import typer

File = Annotated[
    str,
    typer.Argument(
        metavar="FILE",
        help="The file with the pipeline, or a folder with a pipeline.py; FILE:NAME where it has several.",
        show_default=False,
    ),
]
Root = Annotated[
    str | None,
    typer.Option(
        "--root",
        metavar="DIR",
        help="The folder of artifacts and metadata; $PENSTOCK_ROOT, the project's or .penstock by default.",
        show_default=False,
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON for a program.")]
Run = Annotated[
    str, typer.Argument(metavar="RUN", help="A run's id, or the end or beginning of one.", show_default=False)
]
Parameters = Annotated[
    list[str] | None,
    typer.Option("-p", "--parameter", metavar="NAME=VALUE", help="A run parameter.", show_default=False),
]
NoCache = Annotated[bool, typer.Option("--no-cache", help="Run every step, reuse nothing.")]
Refresh = Annotated[
    list[str] | None,
    typer.Option(
        "--refresh",
        metavar="STEP",
        help="Run this step though it could be reused; STEP[1] is one item of it in a loop.",
        show_default=False,
    ),
]
Verify = Annotated[bool, typer.Option("--verify", help="Read the files of a reused result: sha256, not size alone.")]
OfRun = Annotated[
    str | None,
    typer.Option("--run", metavar="RUN", help="The run of the step; its latest by default.", show_default=False),
]
From = Annotated[
    list[str] | None,
    typer.Option("--from", metavar="STEP", help="Run this step and what follows from it.", show_default=False),
]
To = Annotated[
    list[str] | None,
    typer.Option("--to", metavar="STEP", help="Run this step and what it needs.", show_default=False),
]
Only = Annotated[
    list[str] | None,
    typer.Option("--only", metavar="STEP", help="Run this step alone, or one item: STEP[1].", show_default=False),
]
SkipStep = Annotated[
    list[str] | None, typer.Option("--skip", metavar="STEP", help="Don't run this step.", show_default=False)
]
