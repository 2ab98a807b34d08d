"""SOQL text to its syntax tree, with Salesforce's own errors: rows, columns and a caret.

Grammar: SOQL and SOSL Reference, "SOQL SELECT Syntax"
(https://developer.salesforce.com/docs/atlas.en-us.soql_sosl.meta/soql_sosl/sforce_api_calls_soql_select.htm).
"""

import re
from dataclasses import dataclass
from typing import NoReturn

from doubles.salesforce.errors import SalesforceError

_TOKEN = re.compile(
    r"""\s*(?:
      (?P<datetime>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:?\d\d))
    | (?P<date>\d{4}-\d\d-\d\d)
    | (?P<time>\d\d:\d\d:\d\d(?:\.\d+)?Z)
    | (?P<number>[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)
    | (?P<string>'(?:\\.|[^'\\])*')
    | (?P<name>[A-Za-z_][\w.]*(?::\d+)?)
    | (?P<symbol><=|>=|!=|<>|=|<|>|\(|\)|,)
    | (?P<end>$)
    )""",
    re.VERBOSE | re.DOTALL,
)
_COMPARISONS = {"=", "!=", "<>", "<", "<=", ">", ">="}
_RESERVED = ("AND", "ASC", "DESC", "FROM", "IN", "LIKE", "LIMIT", "NOT", "NULLS", "OFFSET", "OR", "ORDER", "SELECT", "WHERE")
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "f": "\f", '"': '"', "'": "'", "\\": "\\"}


@dataclass(frozen=True)
class Token:
    """A piece of SOQL: its kind, its text, and its offset in the query."""

    kind: str
    text: str
    offset: int

    def is_word(self, *words: str) -> bool:
        """Whether it is one of these keywords, in any case."""
        return self.kind == "name" and self.text.upper() in words


@dataclass(frozen=True)
class Comparison:
    """`field operator value`; the values of IN and NOT IN are many, of all else one."""

    field: Token
    operator: str
    values: tuple[Token, ...]


@dataclass(frozen=True)
class Not:
    """The opposite of a condition."""

    condition: "Condition"


@dataclass(frozen=True)
class Junction:
    """Several conditions joined by AND, or by OR."""

    word: str
    conditions: tuple["Condition", ...]


Condition = Comparison | Not | Junction


@dataclass(frozen=True)
class Ordering:
    """One term of ORDER BY; nulls come first unless it says otherwise."""

    field: Token
    descending: bool
    nulls_last: bool


@dataclass(frozen=True)
class Select:
    """A whole query; no fields means `COUNT()`."""

    text: str
    fields: tuple[Token, ...]
    object: Token
    where: Condition | None
    order: tuple[Ordering, ...]
    limit: int | None
    offset: int


def query_error(text: str, offset: int, code: str, message: str) -> SalesforceError:
    """An error at a place in a query, worded and drawn as Salesforce does."""
    before = text[:offset]
    row, column = before.count("\n") + 1, offset - (before.rfind("\n") + 1) + 1
    line = text.split("\n")[row - 1]
    start = max(0, column - 41)
    shown, caret = line[start : column + 40], " " * (column - 1 - start) + "^"
    return SalesforceError(400, code, f"\n{shown}\n{caret}\nERROR at Row:{row}:Column:{column}\n{message}")


def unquote(token: Token, text: str, keep_wildcard_escapes: bool = False) -> str:
    """A string literal's characters; for LIKE, `\\%` and `\\_` stay escaped."""

    def replacement(match: re.Match[str]) -> str:
        escaped = match[1]
        if escaped in ("%", "_") and keep_wildcard_escapes:
            return "\\" + escaped
        if escaped.startswith("u") and len(escaped) == 5:
            return chr(int(escaped[1:], 16))
        found = _ESCAPES.get(escaped.lower(), escaped if escaped in "%_" else None)
        if found is None:
            message = f"Invalid string literal {token.text}. Illegal character sequence '\\{escaped}' in string literal."
            raise query_error(text, token.offset, "MALFORMED_QUERY", message)
        return "\\\\" if keep_wildcard_escapes and found == "\\" else found

    return re.sub(r"\\(u[0-9A-Fa-f]{4}|.)", replacement, token.text[1:-1], flags=re.DOTALL)


def parse(text: str) -> Select:
    """The syntax tree of a query; SalesforceError MALFORMED_QUERY where it is none."""
    return _Parser(text).select()


class _Parser:
    """Recursive descent over the tokens of one query."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens = self._tokenize()
        self.place = 0

    def _tokenize(self) -> list[Token]:
        tokens: list[Token] = []
        offset = 0
        while not tokens or tokens[-1].kind != "end":
            match = _TOKEN.match(self.text, offset)
            if match is None:
                offset += len(self.text[offset:]) - len(self.text[offset:].lstrip())
                message = f"line {1}:{offset} no viable alternative at character '{self.text[offset]}'"
                raise query_error(self.text, offset, "MALFORMED_QUERY", message)
            kind = str(match.lastgroup)
            tokens.append(Token(kind, match[kind], match.start(kind)))
            offset = match.end()
        return tokens

    @property
    def token(self) -> Token:
        return self.tokens[self.place]

    def next(self) -> Token:
        token = self.token
        self.place += token.kind != "end"
        return token

    def accept(self, *words: str) -> bool:
        found = self.token.is_word(*words) or (self.token.kind == "symbol" and self.token.text in words)
        if found:
            self.next()
        return found

    def expect(self, word: str) -> None:
        if not self.accept(word):
            self.unexpected()

    def unexpected(self) -> NoReturn:
        token = self.token
        shown = "<EOF>" if token.kind == "end" else token.text
        raise query_error(self.text, token.offset, "MALFORMED_QUERY", f"unexpected token: '{shown}'")

    def name(self) -> Token:
        if self.token.kind != "name" or self.token.text.upper() in _RESERVED:
            self.unexpected()
        return self.next()

    def select(self) -> Select:
        self.expect("SELECT")
        fields = self.fields()
        self.expect("FROM")
        target = self.name()
        where = self.condition() if self.accept("WHERE") else None
        order = self.order() if self.accept("ORDER") else ()
        limit = self.count() if self.accept("LIMIT") else None
        offset = self.count() if self.accept("OFFSET") else 0
        if self.token.kind != "end":
            self.unexpected()
        return Select(self.text, fields, target, where, order, limit, offset)

    def fields(self) -> tuple[Token, ...]:
        first = self.name()
        if first.is_word("COUNT") and self.accept("("):
            self.expect(")")
            return ()
        found = [first]
        while self.accept(","):
            found.append(self.name())
        return tuple(found)

    def condition(self) -> Condition:
        parts = [self.term()]
        word = ""
        # Salesforce takes AND and OR at one level only with parentheses around one of them.
        while self.token.is_word(word) if word else self.token.is_word("AND", "OR"):
            word = self.next().text.upper()
            parts.append(self.term())
        return parts[0] if not word else Junction(word, tuple(parts))

    def term(self) -> Condition:
        if self.accept("NOT"):
            return Not(self.term())
        if self.accept("("):
            inside = self.condition()
            self.expect(")")
            return inside
        return self.comparison()

    def comparison(self) -> Comparison:
        field = self.name()
        if self.token.kind == "symbol" and self.token.text in _COMPARISONS:
            operator = self.next().text
            return Comparison(field, "!=" if operator == "<>" else operator, (self.value(),))
        if self.accept("LIKE"):
            return Comparison(field, "LIKE", (self.value(),))
        negated = self.accept("NOT")
        self.expect("IN")
        self.expect("(")
        values = [self.value()]
        while self.accept(","):
            values.append(self.value())
        self.expect(")")
        return Comparison(field, "NOT IN" if negated else "IN", tuple(values))

    def value(self) -> Token:
        if self.token.kind in ("symbol", "end") or self.token.is_word(*_RESERVED):
            self.unexpected()
        return self.next()

    def order(self) -> tuple[Ordering, ...]:
        self.expect("BY")
        found = [self.ordering()]
        while self.accept(","):
            found.append(self.ordering())
        return tuple(found)

    def ordering(self) -> Ordering:
        field = self.name()
        descending = self.accept("DESC")
        if not descending:
            self.accept("ASC")
        nulls_last = False
        if self.accept("NULLS"):
            nulls_last = self.accept("LAST")
            if not nulls_last:
                self.expect("FIRST")
        return Ordering(field, descending, nulls_last)

    def count(self) -> int:
        if self.token.kind != "number" or not self.token.text.isdigit():
            self.unexpected()
        return int(self.next().text)
