"""Spans and versions in paths: "data/{YYYY}-{MM}-{DD}/v{VERSION}/*.csv" stands for the latest day, or those asked for.

A *span* is a number, `{SPAN}` or, zero-padded to four digits, `{SPAN:04}`; a date `{YYYY}{MM}{DD}` (with anything
between) is the span of its days since 1970-01-01. A span may have *versions*, `{VERSION}`, of which the latest counts.
Standard library only: the driver resolves patterns, before anything heavy is imported.
"""

from __future__ import annotations

import datetime
import difflib
import glob
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

_PLACEHOLDER = re.compile(r"\{(SPAN|VERSION)(?::0?([1-9]))?\}|\{(YYYY|MM|DD)\}")
_ANY_BRACES = re.compile(r"\{[^{}]*\}")
_DATE = ("YYYY", "MM", "DD")
_EPOCH = datetime.date(1970, 1, 1)
PARAMETERS = ("span", "version", "span_range", "last_spans")
"""The parameters of a component that choose spans."""


class SpanError(ValueError):
    """A pattern that can't be read, or spans that aren't there."""


@dataclass(frozen=True)
class SpanChoice:
    """Which spans are wanted: the latest by default.

    Attributes:
        span: This one.
        version: This version of it; by default the latest of each span.
        span_range: All from the first to the last of these two.
        last_spans: So many up to the latest, without a gap.
    """

    span: int | None = None
    version: int | None = None
    span_range: tuple[int, int] | None = None
    last_spans: int | None = None

    @classmethod
    def of(cls, parameters: Mapping[str, Any]) -> SpanChoice:
        """Reads a component's parameters.

        Raises:
            SpanError: They can't be right, or contradict each other.
        """
        given = {name: parameters[name] for name in PARAMETERS if parameters.get(name) is not None}
        exclusive = [name for name in given if name != "version"]
        if len(exclusive) > 1:
            raise SpanError(f"{' and '.join(f'{name}=' for name in exclusive)} contradict each other. Give one.")
        for name in ("span", "version", "last_spans"):
            least = 1 if name == "last_spans" else 0
            if name in given and not _is_number(given[name], least):
                raise SpanError(f"{name}= must be a whole number of at least {least}, got {given[name]!r}.")
        limits = given.get("span_range")
        if limits is None:
            return cls(**given)
        numbers = isinstance(limits, list | tuple) and len(limits) == 2 and all(_is_number(each, 0) for each in limits)
        if not numbers or limits[0] > limits[1]:
            raise SpanError(f"span_range= must be the first and the last span, as [3, 7], got {limits!r}.")
        return cls(**{**given, "span_range": tuple(limits)})

    @property
    def empty(self) -> bool:
        """Whether nothing is asked for."""
        return self == SpanChoice()


def _is_number(value: Any, least: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


@dataclass(frozen=True)
class Found:
    """A place that a pattern fits: its span, its version (0 where the pattern has none), its path."""

    span: int
    version: int
    path: str


@dataclass(frozen=True)
class Resolved:
    """The spans chosen, as paths or globs without placeholders, and the span and version of the last."""

    paths: tuple[str, ...]
    span: int
    version: int


def has_spans(pattern: str) -> bool:
    """Whether a path has placeholders of spans."""
    return _PLACEHOLDER.search(pattern) is not None


def base_of(pattern: str) -> str:
    """Returns the deepest folder of a pattern without placeholders or wildcards, to which names are relative."""
    parts = pattern.split("/")
    fixed = next(i for i, part in enumerate(parts) if glob.has_magic(part) or _PLACEHOLDER.search(part))
    return "/".join(parts[:fixed]) or "/"


def resolve(pattern: str, choice: SpanChoice) -> Resolved:
    """Looks for a pattern's spans on disk and chooses.

    Args:
        pattern: An absolute path; what follows the last placeholder's part of it may be a glob.
        choice: Which are wanted.

    Raises:
        SpanError: The pattern can't be read, or a span that is wanted isn't there.
    """
    _check(pattern)
    head, tail = _divided(pattern)
    found = _latest_versions(list(_find(head)), choice.version, pattern)
    chosen = _chosen(found, choice, pattern)
    last = chosen[-1]
    paths = tuple(os.path.join(glob.escape(each.path), tail) if tail else each.path for each in chosen)
    return Resolved(paths, last.span, last.version)


def _check(pattern: str) -> None:
    names = {match[1] or match[3] for match in _PLACEHOLDER.finditer(pattern)}
    dates = names & set(_DATE)
    if dates and dates != set(_DATE):
        raise SpanError(f"{pattern}: a date takes all of {{YYYY}}, {{MM}} and {{DD}}. Add what is missing.")
    if dates and "SPAN" in names:
        raise SpanError(f"{pattern}: spans are counted by {{SPAN}} or by date, not both. Drop one.")
    if not dates and "SPAN" not in names:
        raise SpanError(f"{pattern}: {{VERSION}} is the version of a span. Add {{SPAN}}, or {{YYYY}}{{MM}}{{DD}}.")
    if odd := odd_placeholder(pattern):
        raise SpanError(f"{pattern}: {odd}")


def odd_placeholder(pattern: str) -> str:
    """Returns what is wrong with the first word in braces that is no placeholder; "" where there is none."""
    for braces in _ANY_BRACES.findall(pattern):
        if not _PLACEHOLDER.fullmatch(braces):
            near = difflib.get_close_matches(braces.strip("{}").upper(), ("SPAN", "VERSION", *_DATE), 1)
            hint = f" Did you mean {{{near[0]}}}?" if near else ""
            there = "{SPAN}, {SPAN:04}, {VERSION}, {YYYY}, {MM} and {DD}"
            return f"{braces} is no placeholder.{hint} There are {there}."
    return ""


def _divided(pattern: str) -> tuple[str, str]:
    """Cuts a pattern behind the last part that holds a placeholder."""
    parts = pattern.split("/")
    last = max(index for index, part in enumerate(parts) if _PLACEHOLDER.search(part))
    return "/".join(parts[: last + 1]), "/".join(parts[last + 1 :])


def _find(head: str) -> Iterator[Found]:
    regex = re.compile(_regex(head))
    for path in sorted(glob.glob(_PLACEHOLDER.sub("*", head), recursive=True)):
        match = regex.fullmatch(path)
        if match is None or os.path.basename(path).startswith((".", "_")):
            continue
        groups = match.groupdict()
        span = _day(groups, path) if "YYYY" in groups else int(groups["SPAN"])
        yield Found(span, int(groups.get("VERSION") or 0), path)


def _day(groups: Mapping[str, str], path: str) -> int:
    try:
        return (datetime.date(*(int(groups[name]) for name in _DATE)) - _EPOCH).days
    except ValueError as error:
        raise SpanError(f"{path} fits the pattern, but is no date: {error}. Rename it.") from None


def _regex(head: str) -> str:
    text, position, seen = "", 0, set[str]()
    for match in _PLACEHOLDER.finditer(head):
        name, width = match[1] or match[3], int(match[2] or 0)
        text += _glob_regex(head[position : match.start()])
        if name in seen:
            text += f"(?P={name})"
        elif name in _DATE:
            text += rf"(?P<{name}>\d{{{len(name)}}})"
        else:
            text += rf"(?P<{name}>\d{{{width}}}|[1-9]\d{{{width},}})" if width else rf"(?P<{name}>\d+)"
        seen.add(name)
        position = match.end()
    return text + _glob_regex(head[position:])


def _glob_regex(text: str) -> str:
    tokens = re.split(r"(\*\*/|\*|\?|\[[^\]]*\])", text)
    special = {"**/": "(?:.*/)?", "*": "[^/]*", "?": "[^/]"}
    return "".join(
        special.get(token) or (token.replace("[!", "[^", 1) if token.startswith("[") else re.escape(token))
        for token in tokens
    )


def _latest_versions(found: Sequence[Found], version: int | None, pattern: str) -> dict[int, list[Found]]:
    """Returns the places of each span, of its latest version or of the one asked for."""
    spans: dict[int, list[Found]] = {}
    for each in found:
        spans.setdefault(each.span, []).append(each)
    for span, places in spans.items():
        wanted = max(each.version for each in places) if version is None else version
        spans[span] = [each for each in places if each.version == wanted]
        if not spans[span]:
            there = ", ".join(str(each) for each in sorted({each.version for each in places}))
            raise SpanError(f"{pattern}: span {_named(span, pattern)} has no version {version}; it has {there}.")
    return spans


def _chosen(found: Mapping[int, list[Found]], choice: SpanChoice, pattern: str) -> list[Found]:
    if not found:
        raise SpanError(f"{pattern}: there is no span. Put the data there, or correct the pattern.")
    latest = max(found)
    first, last = latest, latest
    if choice.span is not None:
        first, last = choice.span, choice.span
    elif choice.span_range is not None:
        first, last = choice.span_range
    elif choice.last_spans is not None:
        first = latest - choice.last_spans + 1
        _check_reach(found, choice.last_spans, pattern)
    missing = [span for span in range(first, last + 1) if span not in found]
    if missing:
        shown = ", ".join(_named(span, pattern) for span in missing[:5]) + (", ..." if len(missing) > 5 else "")
        raise SpanError(
            f"{pattern}: span {shown} is missing ({len(missing)} of {last - first + 1}). "
            f"There are {_listed(sorted(found), pattern)}. Bring it, or ask for others."
        )
    return [each for span in range(first, last + 1) for each in found[span]]


def _check_reach(found: Mapping[int, list[Found]], count: int, pattern: str) -> None:
    """Refuses more spans up to the latest than there are since the first."""
    first, latest = min(found), max(found)
    if first > latest - count + 1:
        raise SpanError(
            f"{pattern}: last_spans={count} reaches back beyond the first span: up to the latest there are at most "
            f"{latest - first + 1}, {_named(first, pattern)} to {_named(latest, pattern)}. Ask for so many, or bring "
            "earlier ones."
        )


def _listed(spans: Sequence[int], pattern: str) -> str:
    named = [_named(span, pattern) for span in spans]
    return ", ".join(named if len(named) <= 6 else [*named[:3], "...", *named[-2:]])


def _named(span: int, pattern: str) -> str:
    """Returns a span as its user knows it: a date beside its number."""
    if "{YYYY}" not in pattern or not 0 <= span < 2_900_000:
        return str(span)
    return f"{_EPOCH + datetime.timedelta(span)} ({span})"
