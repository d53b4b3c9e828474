"""Cut a query into words, signs, numbers and quoted text."""

import re
from dataclasses import dataclass
from typing import Final, Literal

from retia.datasets.connectome.query.syntax import MAX_LENGTH, Place
from retia.shards.errors import InputError

Kind = Literal["separator", "sign", "number", "word", "quoted", "end"]

MAX_SHOWN: Final = 24

ARROW_STARTS: Final = {"!": "'!=' or '!>'", "-": "'->' or '--' (an edge from B to A is B -> A)"}
PATTERN: Final = re.compile(
    r"(?P<blank>[ \t\r]+|#[^\n]*)"
    r"|(?P<separator>[;\n])"
    r"|(?P<sign><->|->|--|!>|!=|<=|>=|[=<>\[\]{},.])"
    r"|(?P<number>[+-]?\d{1,40}(?:\.\d{1,40})?(?:[eE][+-]?\d{1,4})?)"
    r"|(?P<word>[A-Za-z_][A-Za-z0-9_]*(?:-[A-Za-z0-9_]+)*)"
    r"|(?P<quoted>\"[^\"\n]*\"|'[^'\n]*')",
    re.ASCII,
)


@dataclass(frozen=True)
class Token:
    """A piece of the text; quoted text without its quotes."""

    kind: Kind
    text: str
    place: Place

    @property
    def shown(self) -> str:
        """The token in a message: short, on one line, plain ASCII."""
        if self.kind == "end":
            return "the end"
        return "a new line" if self.text == "\n" else shorten(self.text)


def tokens(text: str) -> list[Token]:
    """The tokens of a text, an `end` behind them; raises `InputError` where there is none."""
    if len(text) > MAX_LENGTH:
        raise InputError(f"the query has {len(text):,} characters; at most {MAX_LENGTH:,} are read")
    found: list[Token] = []
    line, begin, position = 1, 0, 0
    while position < len(text):
        place = Place(line, position - begin + 1)
        match = PATTERN.match(text, position)
        if match is None:
            raise place.error(_unreadable(text[position]))
        position = match.end()
        if match.lastgroup != "blank":
            found.append(_token(match, place))
        if match.group() == "\n":
            line, begin = line + 1, position
    return [*found, Token("end", "", Place(line, position - begin + 1))]


def shorten(text: str) -> str:
    """A user's text, quoted, cut and escaped to one line of ASCII."""
    return ascii(text if len(text) <= MAX_SHOWN else text[:MAX_SHOWN] + "...")


def _token(match: re.Match[str], place: Place) -> Token:
    kind, text = match.lastgroup, match.group()
    quoted = kind == "quoted"
    return Token(kind, text[1:-1] if quoted else text, place)  # type: ignore[arg-type]


def _unreadable(character: str) -> str:
    if character in "\"'":
        return f"expected a closing {character} on the same line"
    if character in ARROW_STARTS:
        return f"expected {ARROW_STARTS[character]} here"
    return f"cannot read the character {character!a} here; text that holds it goes in quotes"
