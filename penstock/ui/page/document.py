"""The page around the sections: one file that asks the network for nothing, and the same in a notebook."""

from __future__ import annotations

import base64
import hashlib
import html
from collections.abc import Sequence
from functools import cache
from importlib.resources import files

from penstock.ui.page.markup import Markup, joined, tag

NOTEBOOK_HEIGHT = 720


def document(title: str, body: Sequence[Markup | None]) -> str:
    """Return a whole page.

    Its policy lets a browser run our script and use our style, known by their hashes, and load nothing at all: what
    slipped through as a tag could still do nothing.

    Args:
        title: The page's name, as text.
        body: What is in it.
    """
    style, script = _own("page.css"), _own("page.js")
    allowed = f"style-src '{_hash(style)}'; script-src '{_hash(script)}'"
    policy = f"default-src 'none'; {allowed}; base-uri 'none'; form-action 'none'"
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=policy),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("title", title),
        tag("style", style),
    )
    return f"<!doctype html>\n{tag('html', head, tag('body', *body, tag('script', script)), lang='en')}\n"


def in_notebook(page: str) -> str:
    """Return a page as a frame of its own, so that its style and a notebook's don't meet."""
    return f'<iframe srcdoc="{html.escape(page)}" width="100%" height="{NOTEBOOK_HEIGHT}" frameborder="0"></iframe>'


@cache
def _own(name: str) -> Markup:
    return Markup(files("penstock.ui.page").joinpath(name).read_text(encoding="utf-8"))


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def navigation(links: Sequence[tuple[str, str]]) -> Markup:
    """Return links to sections, by their ids."""
    return tag("nav", joined(tag("a", text, href=f"#{anchor}") for anchor, text in links), aria_label="Sections")
