"""Queries made of what a listed dialect says that it takes: each signature over columns of each type, each operator, each CAST.

Rows are tame, all null, or extreme: what a query does to the first two is no error in any engine.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice, product

from language.sql.listed.rules import Rules
from language.sql.typing import TypedQuery
from language.text.diagnostics import Problem
from shared_metadata.program.type_names import TypeName, parsed
from tests.language.typed_query import typed

TABLE = "far.ops.f"
COLUMNS = {
    **{"b": "boolean", "i": "int", "l": "long", "r": "float", "d": "double", "p": "decimal(10,2)", "q": "decimal(5,0)"},
    **{"w": "decimal(38,6)", "s": "string", "y": "date", "t": "timestamp", "z": "timestamptz", "x": "binary"},
}
SIGNS = ("+", "-", "*", "/", "%", "=", "<>", "<", ">=", "||", "AND", "OR")
_VARIABLES = frozenset("ADNOTUV")
_MOST_OF_A_SIGNATURE = 30


@dataclass(frozen=True)
class Dialect:
    """A dialect, and what it asks of arguments beside their types.

    words: a type of its own ▸ the word of a CAST to it.
    said: what an argument has to be, since its value is looked at: function, place and type ▸ SQL.
    forms: how a call is written that is none of a name and arguments, '{0} IN {1}'.
    """

    name: str
    rules: Rules
    words: Mapping[str, str]
    said: Mapping[tuple[str, int, str], str] = field(default_factory=dict)
    forms: Mapping[str, str] = field(default_factory=dict)

    def typed(self, text: str) -> TypedQuery:
        return typed(text, {TABLE: COLUMNS}, self.name)

    def kind_of(self, column: str) -> TypeName:
        """As the dialect calls the type of a column."""
        found = parsed(COLUMNS[column])
        return TypeName(self.rules.types.of_schema[found.word], sizes=found.sizes)

    def calls(self, name: str) -> Iterator[tuple[str, str]]:
        """A function over columns of all types that its signatures take; each call with the type that it is said to have.

        Raises AssertionError for a signature of which the dialect takes no call.
        """
        functions = self.rules.functions
        for signature in functions.signatures[name]:
            number = 0
            for arguments in islice(self._arguments(signature.arguments), _MOST_OF_A_SIGNATURE):
                places = enumerate(zip(signature.arguments, arguments, strict=True))
                written = [self.said.get((name, at, pattern.word), one) for at, (pattern, one) in places]
                call = self.forms.get(name, name + "(" + ", ".join(f"{{{at}}}" for at in range(len(written))) + ")").format(*written)
                call += " OVER (ORDER BY i)" if name in functions.windows else ""
                found = [*self.taken([call])] or [*self.taken([f"CAST({call} AS {self.words['decimal']})"])]
                number += len(found)
                yield from found
            assert number, f"no call of {name}{[str(one) for one in signature.arguments]} is taken"

    def _arguments(self, patterns: Sequence[TypeName]) -> Iterator[tuple[str, ...]]:
        """Columns of the types themselves, letters bound to each type in turn; then each argument of a type that becomes its own."""
        letters = list(dict.fromkeys(pattern.word for pattern in patterns if pattern.word in _VARIABLES))
        first = tuple[str, ...]()
        for bound in product(*([*self._able(word)] for word in letters)):
            given = dict(zip(letters, bound, strict=True))
            arguments = tuple(given.get(pattern.word) or self._column(pattern) for pattern in patterns)
            first = first or arguments
            yield arguments
        for at, pattern in enumerate(patterns):
            if pattern.word not in letters:
                for column in COLUMNS:
                    if self.rules.types.becomes(self.kind_of(column), pattern):
                        yield (*first[:at], column, *first[at + 1 :])

    def _able(self, word: str) -> Iterator[str]:
        types = self.rules.types
        for column in COLUMNS:
            kind = self.kind_of(column)
            if {"N": types.is_number(kind), "D": kind.word in types.moments}.get(word, True):
                yield column

    def _column(self, pattern: TypeName) -> str:
        same = next((column for column in COLUMNS if self.kind_of(column).word == pattern.word), None)
        return same or f"CAST(i AS {self.words[pattern.word]})"

    # -- operators and casts

    def operations(self, column: str) -> Iterator[str]:
        """What operators are written of a column and each other one, whether or not the dialect takes them."""
        for sign, other in product(SIGNS, COLUMNS):
            yield f"({column} {sign} {other})"
        yield from (f"-{column}", f"NOT {column}", f"{column} IS NULL", f"{column} BETWEEN {column} AND {column}")
        yield from (f"{column} + INTERVAL '1 day'", f"{column} - INTERVAL '2 hours'", f"{column} LIKE 'a%'")
        yield from (f"coalesce({column}, {other})" for other in COLUMNS)
        yield from (f"CASE WHEN b THEN {column} ELSE {other} END" for other in COLUMNS)
        yield from (f"extract({unit} FROM {column})" for unit in ("year", "month", "day", "hour", "second", "epoch"))
        yield from (f"CAST({column} AS {word})" for word in self.words.values())

    def taken(self, items: Iterable[str]) -> Iterator[tuple[str, str]]:
        """Those that the dialect takes, each with the type that it says."""
        for item in items:
            try:
                found = self.typed(f"SELECT {item} AS c FROM {TABLE}")
            except Problem:
                continue
            if not found.problems:
                yield item, found.columns[0].type
