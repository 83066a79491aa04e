"""Why a step ran for the terminal: what differs from the nearest earlier execution, and where the change began."""

from __future__ import annotations

import json
from collections.abc import Iterator

from rich.console import Group, RenderableType
from rich.text import Text

from penstock.runners.causes import Causes, InputChange, Why
from penstock.runners.explanation import PLAIN, Difference
from penstock.ui import formats, states

INDENT = "  "
FILES_SHOWN = 10
DIFF_STYLES = {"+": "green", "-": "red", "@": "cyan"}


def why_view(why: Why) -> RenderableType:
    """Return an explanation as indented lines."""
    step = why.execution
    head = Text.assemble((step.step, "bold"), " in run ", formats.short_id(step.run), ": ", states.word(step.state))
    reason = Text(f"reason: {formats.short_ids(why.reason) or 'none recorded'}")
    return Group(head, reason, *(_causes(why.causes, "") if why.causes else ()))


def _causes(causes: Causes, indent: str) -> Iterator[Text]:
    earlier = causes.before
    ended = "" if earlier.state == "COMPLETE" else f", which ended {earlier.state}"
    what = f"nearest earlier execution: run {formats.short_id(earlier.run)}{ended}"
    if indent:
        what = f"{causes.now.step} ran anew in run {formats.short_id(causes.now.run)}; before that in run " + (
            formats.short_id(earlier.run)
        )
    if not causes.differences:
        yield Text(f"{indent}{what}, with the same ingredients")
        return
    yield Text(f"{indent}{what}")
    for difference in causes.differences:
        yield from _difference(difference, causes, indent + INDENT)


def _difference(difference: Difference, causes: Causes, indent: str) -> Iterator[Text]:
    label = f"{difference.kind} {difference.name}".rstrip()
    if difference.kind in PLAIN:
        before, now = json.dumps(difference.before), json.dumps(difference.now)
        yield Text.assemble(indent, (label, "bold"), f": {before} -> {now}")
        return
    yield Text.assemble(indent, (label, "bold"), str(difference).removeprefix(label))
    for line in difference.diff.splitlines():
        yield Text(f"{indent}{INDENT}{line}", DIFF_STYLES.get(line[0], "") if line else "")
    for change in causes.inputs:
        if difference.kind == "input" and change.input == difference.name:
            yield from _input(change, indent + INDENT)


def _input(change: InputChange, indent: str) -> Iterator[Text]:
    before = formats.short_digest(change.before.digest) if change.before else "nothing"
    now = formats.short_digest(change.now.digest) if change.now else "nothing"
    kind = next((artifact.type for artifact in (change.now, change.before) if artifact), "")
    yield Text(f"{indent}{kind}: {before} -> {now}")
    for file in change.files[:FILES_SHOWN]:
        verb = "changed" if file.before and file.now else "is new" if file.now else "is gone"
        digests = f": sha256 {file.before[:12]} -> {file.now[:12]}" if verb == "changed" else ""
        yield Text(f"{indent}{INDENT}{file.name} {verb}{digests}")
    if len(change.files) > FILES_SHOWN:
        yield Text(f"{indent}{INDENT}and {len(change.files) - FILES_SHOWN} more files")
    if change.note:
        yield Text(f"{indent}{INDENT}{change.note}")
    elif change.causes:
        yield from _causes(change.causes, indent + INDENT)
