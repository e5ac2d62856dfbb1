"""Tables and keys from DBML: tables with settings and indexes, references inline, on a line or in a block."""

from collections import Counter
from dataclasses import dataclass

from nexusflow.data.schema import ForeignKey, Kind
from nexusflow.data.schema_text.dbml_tokens import Cursor, Token, tokens_of
from nexusflow.data.schema_text.draft import Draft, DraftTable, kind_of_type, note, read_mark
from nexusflow.errors import Problem, SchemaError, Severity

_SIGNS = ("<>", "<", ">", "-")


@dataclass(frozen=True)
class _End:
    table: str
    columns: tuple[str, ...]


def from_dbml(text: str) -> Draft:
    """What the file says; SchemaError where it cannot be read, with the line, or describes no table."""
    parser = _Parser(tokens_of(text))
    parser.parse()
    if not parser.tables:
        raise SchemaError("This DBML describes no table: it needs `Table name { … }`.")
    return parser.draft()


class _Parser(Cursor):
    """Reads elements one after the other; what says nothing of keys is counted and left out."""

    def __init__(self, tokens: list[Token]) -> None:
        super().__init__(tokens)
        self.tables: dict[str, DraftTable] = {}
        self.aliases: dict[str, str] = {}
        self.links: list[tuple[_End, str, _End, int]] = []
        self.problems: list[Problem] = []
        self.others: Counter[str] = Counter()

    def draft(self) -> Draft:
        """All that was read, with aliases resolved."""
        if self.others:
            told = ", ".join(f"{count} {name}" for name, count in sorted(self.others.items()))
            self.problems.append(note(f"Parts that say nothing of tables and keys were left out: {told}."))
        keys = dict.fromkeys(key for link in self.links if (key := self._key(*link)) is not None)
        return Draft(tables=self.tables, foreign_keys=tuple(keys), problems=tuple(self.problems))

    def _key(self, left: _End, sign: str, right: _End, line: int) -> ForeignKey | None:
        if sign == "<>":
            message = f"Line {line} relates {left.table} and {right.table} many to many, which no foreign key can say."
            fix = "Name the table between them, with a key to each."
            self.problems.append(note(message, fix, Severity.WARNING))
            return None
        # `>` has many on its left; `<` and `-` have the one that is referred to there.
        child, parent = (left, right) if sign == ">" else (right, left)
        return ForeignKey(
            child_table=self.aliases.get(child.table, child.table),
            child_columns=child.columns,
            parent_table=self.aliases.get(parent.table, parent.table),
            parent_columns=parent.columns,
        )

    # Elements

    def parse(self) -> None:
        """Read the whole file."""
        while self.newlines().kind != "end":
            word = self.take("word").text.lower()
            if word == "table":
                self._table()
            elif word == "ref":
                self._ref()
            else:
                self.others[word] += 1
                self.skip_element()

    def _table(self) -> None:
        line, name = self.peek().line, self.path()[-1]
        if self.peek().kind == "word" and self.peek().text.lower() == "as":
            self.next()
            self.aliases[self.name()] = name
        self.settings()
        self.expect("{")
        columns: dict[str, Kind | None] = {}
        primary: list[str] = []
        times: list[str] = []
        marked = False
        while not self.stands("}", self.newlines()):
            token, after = self.peek(), self.peek(1).text
            keyword = token.text.lower() if token.kind == "word" and after in "{:" and after else ""
            if keyword == "indexes":
                self.next()
                primary += self._indexes()
            elif keyword or self.stands("~", token):
                if keyword != "note":
                    self.others[keyword or "partial table"] += 1
                self.skip_element()
            else:
                column, kind, time, key = self._column(name)
                columns[column] = kind[0]
                marked = marked or kind[1]
                times += [column] if time else []
                primary += [column] if key else []
        self.next()
        if name in self.tables:
            message = f"is described twice; the second one, in line {line}, was left out."
            self.problems.append(note(message, severity=Severity.WARNING, table=name))
            return
        self.tables[name] = DraftTable(
            name=name,
            columns=columns,
            primary_key=tuple(dict.fromkeys(primary)),
            time_column=times[0] if times else None,
            static=marked and not times,
        )

    def _column(self, table: str) -> tuple[str, tuple[Kind | None, bool], bool, bool]:
        """Its name, its kind and whether that was marked, and whether it is the time or the primary key."""
        line, name, typed = self.peek().line, self.name(), ""
        while self.peek().kind not in ("newline", "end") and not self.stands("[") and not self.stands("}"):
            typed += self.next().text
            # An array's brackets stand right behind its type.
            if self.stands("[") and self.peek(1).text == "]":
                self.next()
                self.next()
        kind, time, key = None, False, False
        for setting in self.settings():
            words = " ".join(t.text.lower() for t in setting if t.kind == "word")
            head = setting[0].text.lower()
            if words in ("pk", "primary key"):
                key = True
            elif head == "note" and setting[-1].kind == "text":
                kind, time = read_mark(setting[-1].text)
            elif head == "ref":
                self._inline(table, name, setting, line)
        return name, (kind or kind_of_type(typed), kind is not None), time, key

    def _inline(self, table: str, column: str, setting: list[Token], line: int) -> None:
        rest = _Parser([*setting[2:], Token("end", "", line)])
        sign = rest.next().text
        if sign not in _SIGNS:
            raise SchemaError(f"Line {line} of this DBML: a reference needs one of {', '.join(_SIGNS)}.")
        # Written on the column itself, `-` refers to the one that is named.
        other, own = rest._end(), _End(table, (column,))
        self.links.append((other, "<", own, line) if sign == "-" else (own, sign, other, line))

    def _indexes(self) -> list[str]:
        """The columns of the primary key, where an index is one."""
        primary: list[str] = []
        self.expect("{")
        while not self.stands("}", self.newlines()):
            columns = []
            while (
                self.peek().kind not in ("newline", "end") and not self.stands("[") and not self.stands("}")
            ):
                token = self.next()
                columns += [token.text] if token.kind in ("name", "word") else []
            for setting in self.settings():
                if " ".join(t.text.lower() for t in setting) in ("pk", "primary key"):
                    primary += columns
        self.next()
        return primary

    def _ref(self) -> None:
        if self.peek().kind in ("name", "word"):
            self.path()
        if self.stands(":"):
            self.next()
            self._link()
            return
        self.settings()
        self.expect("{")
        while not self.stands("}", self.newlines()):
            self._link()
        self.next()

    def _link(self) -> None:
        self.newlines()
        left, sign = self._end(), self.next()
        if sign.text not in _SIGNS:
            self.fail(sign, f"one of {', '.join(_SIGNS)}")
        self.links.append((left, sign.text, self._end(), sign.line))
        self.settings()

    def _end(self) -> _End:
        path = [self.name()]
        while self.stands("."):
            self.next()
            if self.stands("("):
                return _End(path[-1], self._list())
            path.append(self.name())
        if len(path) < 2:
            self.fail(self.peek(), "a column after the table, as in `orders.customer_id`")
        return _End(path[-2], (path[-1],))

    def _list(self) -> tuple[str, ...]:
        self.expect("(")
        names = [self.name()]
        while self.stands(","):
            self.next()
            names.append(self.name())
        self.expect(")")
        return tuple(names)
