"""A SOQL syntax tree to SQLite's SQL over the store's tables, with the checks of fields and types."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from doubles.salesforce import identifiers, soql_syntax
from doubles.salesforce.errors import SalesforceError
from doubles.salesforce.schema import INTEGER_TYPES, NUMBER_TYPES, Field, ObjectSchema, collated
from doubles.salesforce.soql_syntax import Comparison, Condition, Junction, Not, Select, Token
from doubles.salesforce.values import Stored, parse_datetime, store_datetime

_NAME_HINT = (
    "be sure to append the '__c' after the {} name. Please reference your WSDL or the describe call for the appropriate names."
)
_SHOWN_TYPES = {"datetime": "dateTime", "date": "date", "time": "time", "boolean": "boolean", "int": "int"}


@dataclass(frozen=True)
class CompiledQuery:
    """What a SOQL query asks of the store: the selected fields, and the rest of the SQL after FROM, values bound.

    `fields` is empty for `COUNT()`.
    """

    schema: ObjectSchema
    fields: tuple[Field, ...]
    tail: str
    parameters: tuple[Stored, ...]


def compile_query(
    select: Select, find_object: Callable[[str], ObjectSchema | None], now: datetime, include_deleted: bool
) -> CompiledQuery:
    """Check a query against the org's objects and translate it; SalesforceError names what is wrong and where."""
    schema = find_object(select.object.text)
    if schema is None:
        message = f"sObject type '{select.object.text}' is not supported. If you are attempting to use a custom object, "
        message += _NAME_HINT.format("entity")
        raise soql_syntax.query_error(select.text, select.object.offset, "INVALID_TYPE", message)
    return _Compiler(select, schema, now).compile(include_deleted)


class _Compiler:
    """The translation of one query over one object."""

    def __init__(self, select: Select, schema: ObjectSchema, now: datetime) -> None:
        self.select = select
        self.schema = schema
        self.today = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        self.parameters: list[Stored] = []

    def compile(self, include_deleted: bool) -> CompiledQuery:
        fields = tuple(self.field(token) for token in self.select.fields)
        seen: set[str] = set()
        for token, one in zip(self.select.fields, fields, strict=True):
            if one.name in seen:
                raise self.error(token, "INVALID_FIELD", f"duplicate field selected: {one.name}")
            seen.add(one.name)
        conditions = [] if include_deleted else self.left_out()
        if self.select.where is not None:
            conditions.append(self.condition(self.select.where))
        tail = f" WHERE {' AND '.join(conditions)}" if conditions else ""
        # The rowid last makes the order of ties, and of queries without an order, the same every time.
        tail += " ORDER BY " + ", ".join([*self.ordering(), "rowid"])
        if self.select.limit is not None or self.select.offset:
            tail += " LIMIT ? OFFSET ?"
            self.parameters += [-1 if self.select.limit is None else self.select.limit, self.select.offset]
        return CompiledQuery(self.schema, fields, tail, tuple(self.parameters))

    def left_out(self) -> list[str]:
        """What `query` has no records of: those in the recycle bin, and archived ones, where an object has such.

        SOAP API Developer Guide, "queryAll()": "including records that have been deleted or archived".
        """
        archived = ['coalesce("IsArchived", 0) = 0'] if "IsArchived" in self.schema.fields else []
        return ['"IsDeleted" = 0', *archived]

    def error(self, token: Token, code: str, message: str) -> SalesforceError:
        return soql_syntax.query_error(self.select.text, token.offset, code, message)

    def field(self, token: Token) -> Field:
        found = self.schema.find(token.text)
        if found is None and token.text.lower().startswith(self.schema.name.lower() + "."):
            found = self.schema.find(token.text.split(".", 1)[1])
        if found is None and "." in token.text:
            relationship = token.text.split(".")[0]
            message = f"Didn't understand relationship '{relationship}' in field path. If you are attempting to use a "
            message += "custom relationship, be sure to append the '__r' after the custom relationship name. Please "
            message += "reference your WSDL or the describe call for the appropriate names."
            raise self.error(token, "INVALID_FIELD", message)
        if found is None:
            message = f"No such column '{token.text}' on entity '{self.schema.name}'. If you are attempting to use a "
            raise self.error(token, "INVALID_FIELD", message + "custom field, " + _NAME_HINT.format("custom field"))
        return found

    def ordering(self) -> list[str]:
        terms = []
        for term in self.select.order:
            field = self.field(term.field)
            if not field.filterable:
                raise self.error(term.field, "INVALID_FIELD", f"field '{field.name}' can not be sorted in a query call")
            direction, nulls = "DESC" if term.descending else "ASC", "LAST" if term.nulls_last else "FIRST"
            terms.append(f"{collated(field)} {direction} NULLS {nulls}")
        return terms

    def condition(self, condition: Condition) -> str:
        if isinstance(condition, Junction):
            return "(" + f" {condition.word} ".join(self.condition(one) for one in condition.conditions) + ")"
        if isinstance(condition, Not):
            # SOQL has two truth values: a comparison with null is false, and NOT makes it true.
            return f"(NOT coalesce({self.condition(condition.condition)}, 0))"
        return self.comparison(condition)

    def comparison(self, one: Comparison) -> str:
        field = self.field(one.field)
        if not field.filterable:
            raise self.error(one.field, "INVALID_FIELD", f"field '{field.name}' can not be filtered in a query call")
        if len(one.values) == 1 and one.operator in ("=", "!=", "<", "<=", ">", ">="):
            span = self.day_span(field, one.values[0])
            if span is not None:
                return self.within(field, one.operator, span)
        if one.operator == "LIKE":
            return self.like(field, one)
        values = [self.value(field, token) for token in one.values]
        if one.operator in ("IN", "NOT IN"):
            return self.membership(field, one.operator == "NOT IN", values)
        if values[0] is None and one.operator not in ("=", "!="):
            raise self.error(one.values[0], "MALFORMED_QUERY", f"unexpected token: '{one.values[0].text}'")
        self.parameters.append(values[0])
        return f"({collated(field)} {({'=': 'IS', '!=': 'IS NOT'}).get(one.operator, one.operator)} ?)"

    def membership(self, field: Field, negated: bool, values: list[Stored]) -> str:
        present = [one for one in values if one is not None]
        self.parameters += present
        found = f"{collated(field)} IN ({', '.join('?' * len(present))})"
        if None in values:
            found += f' OR "{field.name}" IS NULL'
        return f"(NOT coalesce(({found}), 0))" if negated else f"({found})"

    def like(self, field: Field, one: Comparison) -> str:
        token = one.values[0]
        if field.type in NUMBER_TYPES | {"boolean", "date", "datetime", "time", "id", "reference"}:
            raise self.error(one.field, "INVALID_FIELD", "invalid operator on " + field.type + " field")
        if token.kind != "string":
            raise self.mismatch(field, token)
        self.parameters.append(soql_syntax.unquote(token, self.select.text, keep_wildcard_escapes=True))
        return f"(\"{field.name}\" LIKE ? ESCAPE '\\')"

    def mismatch(self, field: Field, token: Token) -> SalesforceError:
        quoted = not (field.type in NUMBER_TYPES or field.type in _SHOWN_TYPES)
        shown = _SHOWN_TYPES.get(field.type, "double" if field.type in NUMBER_TYPES else "string")
        rule = "should be enclosed in quotes" if quoted else "should not be enclosed in quotes"
        message = f"value of filter criterion for field '{field.name}' must be of type {shown} and {rule}"
        return self.error(token, "INVALID_FIELD", message)

    def value(self, field: Field, token: Token) -> Stored:
        """The stored form of a literal, if it is one that the field's type takes."""
        if token.is_word("NULL"):
            return None
        if field.type == "boolean" and token.is_word("TRUE", "FALSE"):
            return int(token.text.upper() == "TRUE")
        if field.type in NUMBER_TYPES and token.kind == "number":
            whole = field.type in INTEGER_TYPES and token.text.lstrip("+-").isdigit()
            return int(token.text) if whole else float(token.text)
        if field.type == "datetime" and token.kind == "datetime":
            return store_datetime(self.moment(token))
        if field.type == token.kind == "date":
            return token.text
        if field.type == token.kind == "time":
            clock, _, fraction = token.text.removesuffix("Z").partition(".")
            return f"{clock}.{fraction[:3]:0<3}Z"
        if token.kind == "string" and field.type not in NUMBER_TYPES and field.type not in _SHOWN_TYPES:
            text = soql_syntax.unquote(token, self.select.text)
            if field.type in ("id", "reference"):
                return self.identifier(token, text)
            return text or None
        raise self.mismatch(field, token)

    def moment(self, token: Token) -> datetime:
        try:
            return parse_datetime(token.text)
        except ValueError:
            raise self.error(token, "MALFORMED_QUERY", f"Invalid datetime: {token.text}") from None

    def identifier(self, token: Token, text: str) -> str | None:
        if text and not identifiers.is_valid(text):
            raise self.error(token, "INVALID_QUERY_FILTER_OPERATOR", f"invalid ID field: {text}")
        return identifiers.with_checksum(text) or None

    def day_span(self, field: Field, token: Token) -> tuple[Stored, Stored] | None:
        """The half-open span of a date literal such as TODAY or LAST_N_DAYS:7; None if it is no such literal.

        SOQL and SOSL Reference, "Date Formats and Date Literals"; the org's time zone is UTC.
        """
        if token.kind != "name" or field.type not in ("date", "datetime"):
            return None
        word, _, count = token.text.upper().partition(":")
        days = int(count or 0)
        spans = {
            "TODAY": (0, 1), "YESTERDAY": (-1, 0), "TOMORROW": (1, 2), "LAST_N_DAYS": (-days, 1),
            "NEXT_N_DAYS": (1, days + 1),
        }  # fmt: skip
        if word not in spans:
            return None
        first, last = (self.today + timedelta(days=offset) for offset in spans[word])
        if field.type == "date":
            return first.date().isoformat(), last.date().isoformat()
        return store_datetime(first), store_datetime(last)

    def within(self, field: Field, operator: str, span: tuple[Stored, Stored]) -> str:
        column, (first, last) = f'"{field.name}"', span
        if operator in ("=", "!="):
            self.parameters += [first, last]
            inside = f"({column} >= ? AND {column} < ?)"
            return inside if operator == "=" else f"(NOT coalesce({inside}, 0))"
        self.parameters.append(first if operator in ("<", ">=") else last)
        return f"({column} {({'<=': '<', '>': '>='}).get(operator, operator)} ?)"
