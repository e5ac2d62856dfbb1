"""The pieces of a DBML file, and a place in them that moves on."""

import re
from dataclasses import dataclass
from typing import NoReturn

from nexusflow.errors import SchemaError

_TOKEN = re.compile(
    r"(?P<skip>[^\S\n]+|//[^\n]*|/\*.*?\*/)|(?P<newline>\n)"
    r"|(?P<text>'''(?:\\.|(?!''').)*'''|'(?:\\.|[^'\\\n])*')|(?P<code>`[^`]*`)"
    r'|(?P<name>"(?:\\.|[^"\\])*")|(?P<word>[^\s"\'`{}()\[\]:,.<>~/-]+)|(?P<sign><>|[{}()\[\]:,.<>~/-])',
    re.DOTALL,
)
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_CONTROLS = {"n": "\n", "r": "\r", "t": "\t"}


@dataclass(frozen=True)
class Token:
    """A piece of the file: `kind` is newline, text, code, name, word, sign or end."""

    kind: str
    text: str
    line: int


def tokens_of(text: str) -> list[Token]:
    """All pieces but spaces and comments; SchemaError where a quote is not closed."""
    found, at, line = [], 0, 1
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            raise SchemaError(
                f"Line {line} of this DBML has a quote that is not closed: {text[at : at + 30]!r}."
            )
        kind, part = str(match.lastgroup), match.group()
        if kind in ("name", "text"):
            inner = part[3:-3] if part.startswith("'''") else part[1:-1]
            inner = _ESCAPE.sub(lambda m: _CONTROLS.get(m.group(1), m.group(1)), inner)
            found.append(Token(kind, inner, line))
        elif kind != "skip":
            found.append(Token(kind, part, line))
        at, line = match.end(), line + part.count("\n")
    return [*found, Token("end", "the end", line)]


class Cursor:
    """A place among the pieces, and the small things that are read at it."""

    def __init__(self, tokens: list[Token]) -> None:
        self.tokens = tokens
        self.at = 0

    def settings(self) -> list[list[Token]]:
        """What stands in square brackets, parted at its commas; nothing where there are none."""
        if not self.stands("["):
            return []
        self.next()
        parts: list[list[Token]] = [[]]
        depth = 0
        while depth or not self.stands("]"):
            token = self.next()
            if token.kind == "end":
                self.fail(token, "]")
            depth += (token.kind == "sign") * ((token.text in "([") - (token.text in ")]"))
            if token.kind == "sign" and token.text == "," and not depth:
                parts.append([])
            elif token.kind != "newline":
                parts[-1].append(token)
        self.next()
        return [part for part in parts if part]

    def skip_element(self) -> None:
        """Pass over an element: to the end of its block, or of its line where it has none."""
        depth = 0
        while (token := self.peek()).kind != "end":
            if not depth and (token.kind == "newline" or self.stands("}")):
                return
            self.next()
            depth += (token.kind == "sign") * ((token.text == "{") - (token.text == "}"))
            if not depth and self.stands("}", token):
                return

    def path(self) -> list[str]:
        """A name, with those before its dots."""
        path = [self.name()]
        while self.stands("."):
            self.next()
            path.append(self.name())
        return path

    def name(self) -> str:
        """A name, quoted or not."""
        token = self.next()
        if token.kind not in ("name", "word"):
            self.fail(token, "a name")
        return token.text

    def newlines(self) -> Token:
        """Pass over ends of lines; gives what stands behind."""
        while self.peek().kind == "newline":
            self.at += 1
        return self.peek()

    def take(self, kind: str) -> Token:
        """The next piece, which must be of this kind."""
        token = self.next()
        if token.kind != kind:
            self.fail(token, "Table or Ref")
        return token

    def expect(self, sign: str) -> None:
        """Pass over this sign, which must be next but for ends of lines."""
        self.newlines()
        token = self.next()
        if not self.stands(sign, token):
            self.fail(token, sign)

    def stands(self, sign: str, token: Token | None = None) -> bool:
        """Whether this sign is next, or is this piece."""
        token = token or self.peek()
        return token.kind == "sign" and token.text == sign

    def peek(self, ahead: int = 0) -> Token:
        """The next piece, or one further on."""
        return self.tokens[min(self.at + ahead, len(self.tokens) - 1)]

    def next(self) -> Token:
        """The next piece, passed over."""
        token = self.peek()
        self.at += 1
        return token

    def fail(self, token: Token, wanted: str) -> NoReturn:
        """Tell what was expected here, and what was found."""
        found = "the end of the line" if token.kind == "newline" else repr(token.text[:40])
        raise SchemaError(f"Line {token.line} of this DBML: expected {wanted}, found {found}.")
