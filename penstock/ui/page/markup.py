"""HTML from Python: what isn't markup already is escaped, so that nothing from the data becomes a tag."""

from __future__ import annotations

import html
from collections.abc import Iterable


class Markup(str):
    """Text that is HTML; only this module's functions and files of our own make it."""

    __slots__ = ()


Child = str | None
Attribute = str | int | float | bool | None

VOID = frozenset({"input", "meta"})
"""Elements of HTML without content and without an end."""

SHAPES = frozenset({"line", "path", "rect"})
"""Elements of SVG without content: unlike those of HTML they need an end."""


def tag(name: str, /, *children: Child, **attributes: Attribute) -> Markup:
    """Return an element; text in it is escaped, None left out.

    Args:
        name: The element's name.
        *children: `Markup` as it is, other text escaped.
        **attributes: `class_` stands for class and `data_x` for data-x; True for an attribute without a value, None
            and False for none.

    >>> tag("td", "<b>", class_="wide", hidden=False)
    '<td class="wide">&lt;b&gt;</td>'
    """
    start = f"<{name}{''.join(_attribute(key, value) for key, value in attributes.items())}"
    if name in SHAPES:
        return Markup(f"{start}/>")
    return Markup(f"{start}>" if name in VOID else f"{start}>{joined(children)}</{name}>")


def joined(parts: Iterable[Child], separator: Child = "") -> Markup:
    """Return parts beside each other: markup as it is, text escaped, None left out."""
    return Markup(escaped(separator).join([escaped(part) for part in parts if part is not None]))


def escaped(text: Child) -> str:
    """Return text as HTML, markup as it is."""
    if isinstance(text, Markup):
        return text
    return html.escape(text) if text else ""


def _attribute(key: str, value: Attribute) -> str:
    if value is None or value is False:
        return ""
    name = key.rstrip("_").replace("_", "-")
    if value is True:
        return f" {name}"
    return f' {name}="{html.escape(value) if isinstance(value, str) else value}"'
