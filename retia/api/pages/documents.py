"""The documentation as pages: Markdown files of the package, rendered once."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from html import escape
from pathlib import Path
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.token import Token
from markupsafe import Markup

from retia.shards.errors import NotFoundError

FOLDER = Path(__file__).parents[2] / "docs"
INDEX = "index"
NAME = re.compile(r"[a-z][a-z0-9-]*")
MAX_NAME = 100
SOURCE = re.compile(r"(?:\.\./)?(?:docs/)?([a-z][a-z0-9-]*)\.md(#.*)?")


@dataclass(frozen=True)
class Document:
    """A page of the documentation; its sections are (id, heading)."""

    name: str
    title: str
    body: Markup
    sections: tuple[tuple[str, str], ...]


@cache
def document(name: str) -> Document:
    """The page of that name; raises `NotFoundError` where there is none."""
    path = FOLDER / f"{name[:MAX_NAME]}.md"
    if len(name) > MAX_NAME or not NAME.fullmatch(name) or not path.is_file():
        raise NotFoundError(f"there is no page '{name[:100]}' in the documentation")
    return _render(name, path.read_text(encoding="utf-8"))


def names() -> list[str]:
    """The names of all pages but the index."""
    return sorted(path.stem for path in FOLDER.glob("*.md") if path.stem != INDEX)


def _render(name: str, text: str) -> Document:
    markdown = MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"])
    markdown.add_render_rule("table_open", _open_table)
    markdown.add_render_rule("table_close", _close_table)
    markdown.add_render_rule("fence", _fence)
    environment: dict[str, Any] = {}
    tokens = markdown.parse(text, environment)
    sections = list(_number(tokens))
    _readdress(tokens)
    body = Markup(markdown.renderer.render(tokens, markdown.options, environment))  # noqa: S704
    title = next((heading for level, _, heading in sections if level == 1), name)
    listed = tuple((key, heading) for level, key, heading in sections if level == 2)
    return Document(name, title, body, listed)


def _number(tokens: list[Token]) -> Iterator[tuple[int, str, str]]:
    """Give every heading an id made of its words, as code hosts do: level, id, words."""
    seen: dict[str, int] = {}
    for place, token in enumerate(tokens):
        if token.type != "heading_open":
            continue
        heading = "".join(
            child.content
            for child in tokens[place + 1].children or ()
            if child.type in ("text", "code_inline")
        )
        key = re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") or "section"
        seen[key] = seen.get(key, 0) + 1
        key = key if seen[key] == 1 else f"{key}-{seen[key] - 1}"
        token.attrSet("id", key)
        yield int(token.tag[1:]), key, heading


def _readdress(tokens: list[Token]) -> None:
    """Turn the addresses of files beside each other into addresses of pages."""
    for token in tokens:
        for child in token.children or ():
            if child.type == "link_open":
                child.attrSet("href", _page(str(child.attrGet("href"))))
            elif child.type == "image":
                source = str(child.attrGet("src"))
                child.attrSet("src", source if "://" in source else f"/docs/{source}")
                child.attrSet("loading", "lazy")


def _page(address: str) -> str:
    found = SOURCE.fullmatch(address)
    if found is None:
        return address
    name, section = found.groups()
    return f"/docs{'' if name in (INDEX, 'readme') else f'/{name}'}{section or ''}"


def _open_table(*_: Any) -> str:
    return '<div class="scroll" tabindex="0" role="region" aria-label="Table"><table class="doc">'


def _close_table(*_: Any) -> str:
    return "</table></div>"


def _fence(_renderer: Any, tokens: Any, place: int, *_: Any) -> str:
    return f'<pre tabindex="0"><code>{escape(tokens[place].content)}</code></pre>'
