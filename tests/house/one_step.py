"""A pipeline of one trivial step, for `way_of_a_run.py`."""

from penstock.artifacts import Artifact
from penstock.pipeline import Output, component, pipeline


class Note(Artifact):
    """A line of text."""


@component
def write(note: Output[Note], *, text: str = "a") -> None:
    """Write a line."""
    with open(f"{note.path}/note.txt", "w", encoding="ascii") as file:
        file.write(text)


@pipeline
def one_step(text: str = "a"):
    """Write a line."""
    write(text=text)
