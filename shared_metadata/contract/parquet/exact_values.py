"""The SQL of a value as a column's type: exact, or a row that cannot be read; nothing is rounded, cut or taken for null."""

from __future__ import annotations

from dataclasses import dataclass, replace

from shared_metadata.contract.parquet.duckdb_session import identifier, literal
from shared_metadata.contract.parquet.duckdb_types import duckdb_type
from shared_metadata.contract.parquet.nested_values import NESTED, of_json, unfit_within
from shared_metadata.program.type_names import TypeName, parsed

# What tables hold: https://iceberg.apache.org/spec/#primitive-types, and what all who read them can.
_BETWEEN = {
    "date": "DATE '0001-01-01' AND DATE '9999-12-31'",
    "timestamp": "TIMESTAMP '0001-01-01' AND TIMESTAMP '9999-12-31 23:59:59.999999'",
    "timestamptz": "TIMESTAMPTZ '0001-01-01 00:00:00+00' AND TIMESTAMPTZ '9999-12-31 23:59:59.999999+00'",
}
UNFIT = literal("a value cannot be read as its type")
_DIGITS = 38
_SMALL = ("TINYINT", "SMALLINT", "UTINYINT", "USMALLINT")
_WHOLE = (*_SMALL, "INTEGER", "BIGINT", "HUGEINT", "UINTEGER", "UBIGINT", "UHUGEINT")
_DAYS = ("DATE", "TIMESTAMP", "TIMESTAMP_S", "TIMESTAMP_MS", "TIMESTAMP WITH TIME ZONE")
# Of these types DuckDB's cast keeps every value, or gives null for it: it need not be cast back to be compared.
_KEPT = {
    "int": _WHOLE, "long": _WHOLE, "decimal": _WHOLE, "float": _SMALL, "double": (*_SMALL, "INTEGER", "UINTEGER", "FLOAT"),
    "timestamp": _DAYS, "timestamptz": _DAYS,
}  # fmt: skip
# Of texts DuckDB takes the beginning: the day of a moment, a time without its zone, six digits of a second.
_DAY, _TIME = "[+-]?[0-9]+[-/][0-9]{1,2}[-/][0-9]{1,2}", r"[0-9]{1,2}:[0-9]{1,2}(:[0-9]{1,2}(\.[0-9]{0,6}0*)?)?"
_FORMS = {
    "date": rf"\s*{_DAY}([T ]00:00(:00(\.0*)?)?(Z|[+-]00:?00)?)?\s*",  # also as the moment at which it begins
    "time": rf"{_TIME}(Z|z|[+-]00(:?00)?)?",
    "timestamp": rf"{_DAY}([T ]+{_TIME})? ?(Z|z|UTC|[+-]00(:?00)?)?",
    "timestamptz": rf"{_DAY}([T ]+{_TIME})?( ?[A-Za-z+-][^.]*)?",
}


@dataclass(frozen=True)
class Value:
    """given: the expression over the file's rows, of the type `kind` of DuckDB.

    more: whether objects of JSON may have fields that the column's type has not.
    strict: as the column's type; DuckDB fails where it is none.  lenient: null there.  misfit: the condition of that, '' for never.
    """

    given: str
    kind: str
    strict: str = ""
    lenient: str = ""
    misfit: str = ""
    more: bool = False

    @staticmethod
    def of_file(name: str, kind: str) -> Value:
        return Value(identifier(name), kind)

    @staticmethod
    def of_text(text: str | None) -> Value:
        """A value that is the same in all rows of an object; None for null."""
        return Value("NULL", "") if text is None else Value(literal(text), "VARCHAR")

    @staticmethod
    def exact(expression: str) -> Value:
        """What is of its column's type, whatever the file says."""
        return Value(expression, "", expression, expression)

    def required(self) -> Value:
        """The same of a key, which may not be null: all rows in which it is would become one. `as_type` comes before."""
        null = f"{self.given} IS NULL"
        return replace(self, misfit=f"{null} OR ({self.misfit})" if self.misfit else null)

    def as_type(self, iceberg: str) -> Value:
        wanted, value = duckdb_type(iceberg), self.given
        if not self.kind:
            null = f"CAST(NULL AS {wanted})"
            return replace(self, strict=null, lenient=null)
        kind = parsed(iceberg)
        cast = value if self.kind == wanted else self._cast(kind, wanted)
        wrong = [] if self.kind == wanted else [f"{cast} IS NULL", *self._inexact(kind, cast)]
        if between := _BETWEEN.get(iceberg):
            wrong.append(f"{cast} NOT BETWEEN {between}")
        if not wrong:
            return replace(self, strict=value, lenient=value)
        misfit = f"{value} IS NOT NULL AND ({' OR '.join(wrong)})"
        return replace(self, strict=f"CASE WHEN {misfit} THEN error({UNFIT}) ELSE {cast} END", lenient=cast, misfit=misfit)

    def _cast(self, kind: TypeName, wanted: str) -> str:
        """The value as the type, null where it cannot be."""
        if self.kind == "VARCHAR" and kind.word in NESTED:
            return f"TRY_CAST({of_json(self.given, kind, more=self.more)} AS {wanted})"
        if self.kind == "VARCHAR" and kind.word in ("int", "long"):
            plain = f"TRY_CAST({self.given} AS {wanted})"
            return f"CASE WHEN {self._plain(0)} THEN {plain} ELSE TRY_CAST({self._number(10)} AS {wanted}) END"
        return f"TRY_CAST({self.given} AS {wanted})"

    def _inexact(self, kind: TypeName, cast: str) -> list[str]:
        """The conditions of values that the cast would round, cut or take for others."""
        if kind.word in NESTED:
            texts = self.kind == "VARCHAR"
            given, found = (of_json(self.given, kind, more=self.more), "VARCHAR") if texts else (self.given, self.kind)
            return [within] if (within := unfit_within(given, kind, found, _unfit)) else []
        if self.kind == "VARCHAR" and kind.word in _FORMS:
            return [f"NOT regexp_full_match(trim({self.given}), {literal(_FORMS[kind.word])})"]
        if self.kind == "VARCHAR" and kind.word in ("float", "double"):
            return [f"isinf({cast}) AND NOT contains(lower({self.given}), 'inf')"]
        if self.kind in ("VARCHAR", "DOUBLE", "FLOAT") or self.kind.startswith("DECIMAL"):
            if kind.word in ("int", "long"):
                return [self._unless_plain(0, f"{self._number(10)} <> trunc({self._number(10)})")]
            if kind.word == "decimal":
                precision, scale = kind.sizes
                finer = min(scale + 10, _DIGITS - (precision - scale))
                return [self._unless_plain(scale, f"{self._number(finer)} <> {self._cast(kind, f'DECIMAL({precision},{scale})')}")]
        if self.kind == "VARCHAR" or kind.word == "string" or self.kind in _KEPT.get(kind.word, ()):
            return []
        return [f"TRY_CAST({cast} AS {self.kind}) IS DISTINCT FROM {self.given}"]

    def _unless_plain(self, scale: int, condition: str) -> str:
        """The condition, which is dear, where the text itself does not tell."""
        return f"CASE WHEN {self._plain(scale)} THEN false ELSE {condition} END" if self.kind == "VARCHAR" else condition

    def _plain(self, scale: int) -> str:
        """Whether a text is digits, and so few behind the point that none is rounded."""
        form = rf"\s*[+-]?[0-9]+(\.[0-9]{{0,{scale}}}0*)?\s*" if scale else r"\s*[+-]?[0-9]+\s*"
        return f"regexp_full_match({self.given}, {literal(form)})"

    def _number(self, scale: int) -> str:
        return f"TRY_CAST({self.given} AS DECIMAL({_DIGITS},{scale}))"


def _unfit(value: str, kind: TypeName, found: str) -> str:
    """The condition of what a cast within a list, a map or a struct would change. found: the value's type."""
    return Value(value, found).as_type(str(kind)).misfit
