"""Does a wide graph cost more a step than a chain: 999 steps behind one, written out and as the items of a loop.

The same component in both, in CPU milliseconds a step of scheduler, workers and store together, without what is paid
once a run: of each shape a large and a small graph are run, and their difference counts. Memory is the growth of the
scheduler's resident peak over the wide run.
"""

from __future__ import annotations

import json
import os
import platform
import resource
import sys
import tempfile

from chain import timed

WIDE, NARROW, LONG, SHORT = 999, 99, 30, 5
SOURCE = '''
from penstock.artifacts import Artifact
from penstock.pipeline import Input, Output, component, for_each, pipeline


class Note(Artifact):
    """A line of text."""


@component
def first(note: Output[Note], *, text: str) -> None:
    with open(f"{note.path}/note.txt", "w") as file:
        file.write(text)


@component
def follow(before: Input[Note], note: Output[Note], *, number: int) -> None:
    with open(f"{before.path}/note.txt") as file, open(f"{note.path}/note.txt", "w") as copy:
        copy.write(file.read() + str(number))


def chain(length, text):
    node = first(text=text)
    for number in range(1, length):
        node = follow(before=node.note, number=number, id=f"follow-{number}")


def fan(width, text):
    node = first(text=text)
    for number in range(width):
        follow(before=node.note, number=number, id=f"follow-{number}")


def loop(width, text):
    node = first(text=text)
    with for_each(list(range(width))) as number:
        follow(before=node.note, number=number)


@pipeline
def long_chain(text: str = "a"):
    chain(30, text)


@pipeline
def short_chain(text: str = "b"):
    chain(5, text)


@pipeline
def wide(text: str = "c"):
    fan(999, text)


@pipeline
def narrow(text: str = "d"):
    fan(99, text)


@pipeline
def long_loop(text: str = "e"):
    loop(999, text)


@pipeline
def short_loop(text: str = "f"):
    loop(99, text)
'''


def peak_mib() -> float:
    """Return the peak resident memory of this process so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1 << 20 if sys.platform == "darwin" else 1 << 10)


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as folder:
        with open(os.path.join(folder, "fans.py"), "w", encoding="utf-8") as file:
            file.write(SOURCE)
        sys.path.insert(0, folder)
        import fans

        timed(fans.short_chain.run, root=f"{folder}/warm-up", text="w")
        chains = []
        for repeat in range(5):
            few = timed(fans.short_chain.run, root=f"{folder}/{repeat}", text="few")[0]
            chains.append(
                (timed(fans.long_chain.run, root=f"{folder}/{repeat}", text="many")[0] - few) / (LONG - SHORT) * 1000
            )
        chain_ms = sorted(chains)[2]
        few, _ = timed(fans.narrow.run, root=f"{folder}/fan", text="few")
        before = peak_mib()
        many, wall = timed(fans.wide.run, root=f"{folder}/fan", text="many")
        fan_ms, growth = (many - few) / (WIDE - NARROW) * 1000, peak_mib() - before
        items = [
            timed(run, root=f"{folder}/loop", text=text)[0]
            for run, text in ((fans.short_loop.run, "few"), (fans.long_loop.run, "many"))
        ]
        loop_ms = (items[1] - items[0]) / (WIDE - NARROW) * 1000
        print(
            json.dumps(
                {
                    "python": platform.python_version(),
                    "steps": WIDE + 1,
                    "cpu_ms_a_step": round(fan_ms, 2),
                    "chain_cpu_ms_a_step": round(chain_ms, 2),
                    "ratio_to_chain": round(fan_ms / chain_ms, 2),
                    "wall_s": round(wall, 1),
                    "scheduler_peak_growth_mib": round(growth, 1),
                    "loop_cpu_ms_a_step": round(loop_ms, 2),
                    "ratio_of_loop_to_chain": round(loop_ms / chain_ms, 2),
                }
            )
        )


if __name__ == "__main__":
    main()
