"""What the expressions of DuckDB's bound plan refer to: each by the number of a column of its operator's inputs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from shared_metadata.program.lineage import Use

Plan = dict[str, Any]
Ref = tuple[str, ...]  # a table, a column, and where only a field of it is meant, the names that lead to it
Refs = frozenset[Ref]
NONE: Refs = frozenset()


class Made(NamedTuple):
    """A column that an operator puts out.

    correlated: it repeats a column of an outer query, for the engine's own join.  whole: its value is that of one of `refs`, so that
    a field of it is the field of those.
    """

    refs: Refs = NONE
    correlated: bool = False
    whole: bool = False


Columns = list[Made]


class References:
    """Follows references, and notes the uses of what they mean."""

    def __init__(self) -> None:
        self.uses: set[tuple[Ref, Use]] = set()
        self.read: set[Ref] = set()
        self._bound: dict[int, Columns] = {}  # by table index, for the few references that are not numbers of columns

    def _each(self, expressions: Sequence[Any], inputs: list[Columns]) -> Columns:
        flat = [column for columns in inputs for column in columns]
        return [self._made(expression, flat) for expression in expressions]

    def _refs(self, value: Any, inputs: list[Columns]) -> Refs:
        return self._gathered(value, [column for columns in inputs for column in columns])

    def _made(self, expression: Any, flat: Columns) -> Made:
        plain = self._referred(expression, flat) if isinstance(expression, dict) else None
        return plain or Made(self._gathered(expression, flat))

    def _gathered(self, value: Any, flat: Columns) -> Refs:
        found: list[Refs] = []
        self._walk(value, flat, None, found)
        return found[0] if len(found) == 1 else NONE.union(*found)

    def _referred(self, value: Plan, flat: Columns) -> Made | None:
        """The column that a reference means, or the field of one; None of anything else."""
        kind = value.get("expression_class")
        if kind == "BOUND_REF":
            return flat[value["index"]]
        if kind == "BOUND_FUNCTION" and value["name"] in _TAKING_FIELDS:
            return self._field(value, flat)
        return self._by_binding(value["binding"]) if kind == "BOUND_COLUMN_REF" else None

    def _field(self, value: Plan, flat: Columns) -> Made | None:
        struct, name = value["children"]
        field, made = _field_name(struct, name), self._referred(struct, flat)
        if field is None or made is None or not made.whole:
            return None
        refs = frozenset((*ref, field) for ref in made.refs)
        self.read |= refs
        return Made(refs, made.correlated, True)

    def _walk(self, value: Any, flat: Columns, use: Use | None, found: list[Refs]) -> None:
        """found: where the columns that a value refers to are added."""
        if value.__class__ is list:
            for each in value:
                self._walk(each, flat, use, found)
            return
        if value.__class__ is not dict:
            return
        made = self._referred(value, flat)
        if made is not None:
            if use is not None and not made.correlated:
                self._use(made.refs, use)
            if not (use is Use.ORDER and made.correlated):
                found.append(made.refs)
            return
        for key, child in value.items():
            if child.__class__ in _NESTED and key not in _NO_EXPRESSIONS:
                self._walk(child, flat, _INNER_USES.get(key, use), found)

    def _by_binding(self, binding: Plan) -> Made:
        return self._bound[binding["table_index"]][binding["column_index"]]

    def _use(self, refs: Refs, use: Use) -> None:
        self.uses.update((ref, use) for ref in refs)


def _field_name(struct: Plan, name: Plan) -> str | None:
    """The field's name as the struct has it: the query may write it in any case, and a field without a name has a number."""
    kind, said = (struct.get("return_type") or {}).get("type_info") or {}, name.get("value", {}).get("value")
    names = [child.get("first", "") for child in kind.get("child_types", ())] if kind.get("type") == "STRUCT_TYPE_INFO" else []
    return next((each for each in names if isinstance(said, str) and each.lower() == said.lower()), None)


_TAKING_FIELDS = frozenset(("struct_extract", "array_extract"))
_INNER_USES = {"partitions": Use.ORDER, "orders": Use.ORDER, "order_bys": Use.ORDER, "filter": Use.FILTER, "filters": Use.FILTER}
_NESTED = frozenset((dict, list))
_NO_EXPRESSIONS = frozenset(("function_data", "return_type", "arguments", "value", "arg_orders_types"))
