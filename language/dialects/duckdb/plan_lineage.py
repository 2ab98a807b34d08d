"""Column lineage out of DuckDB's bound plan: what each output is made from, and which columns decide over the rows.

A plan is a tree of operators; a reference in an expression is the number of a column of the operator's inputs, counted through
all of them from the left. Binding has spelled out every star, name and correlation, so nothing here knows a name's meaning.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from language.dialects.duckdb.plan_references import NONE, Columns, Made, Plan, Ref, References, Refs
from language.dialects.duckdb.recursion import deep_recursion
from shared_metadata.program.lineage import Use

ROW_NUMBER = "\0rowid"  # for a column: of a row in DuckDB's own tables, which no file of a lake has


class Unplanned(Exception):
    """An operator that is not known here."""


@dataclass(frozen=True)
class PlanLineage:
    """outputs: of each column.  uses: besides values.  read: the columns of inputs that the query names, or the fields of them."""

    outputs: tuple[Refs, ...]
    uses: frozenset[tuple[Ref, Use]]
    read: Refs  # without row numbers


def lineage(plan: Plan, names: Callable[[str, str, str], str]) -> PlanLineage:
    """The lineage of a whole query.  names: of a table by its database, schema and name. Raises Unplanned."""
    tracer = _Tracer(names)
    with deep_recursion():
        outputs = tracer.visit(plan, None)
    return PlanLineage(tuple(column.refs for column in outputs), frozenset(tracer.uses), _apart(tracer.read))


def _apart(read: set[Ref]) -> Refs:
    """The columns without those, and fields, of which fields alone are named."""
    around = {ref[:length] for ref in read for length in range(2, len(ref))}
    return frozenset(read - around)


class _Tracer(References):
    def __init__(self, names: Callable[[str, str, str], str]) -> None:
        super().__init__()
        self._names = names
        self._ctes: dict[int, Columns] = {}

    def visit(self, plan: Plan, outer: Columns | None) -> Columns:
        """The operator's columns.  outer: what a correlated join hands to its right side."""
        kind = str(plan["type"]).removeprefix("LOGICAL_").lower()
        if kind in ("delim_join", "comparison_join", "any_join", "asof_join"):
            return self._join(plan, outer)
        if kind == "recursive_cte":
            return self._recursive(plan, outer)
        if kind == "materialized_cte":
            definition, query = plan["children"]
            self._ctes[plan["table_index"]] = self.visit(definition, outer)
            return self.visit(query, outer)
        method = getattr(self, f"_{kind}", None)
        if method is None:
            raise Unplanned(kind)
        made: Columns = method(plan, [self.visit(child, outer) for child in plan.get("children", ())], outer)
        if kept := plan.get("projection_map"):  # as of the rows that a correlated LIMIT leaves
            made = [made[number] for number in kept]
        if "table_index" in plan:
            self._bound[plan["table_index"]] = made
        return made

    # -- sources

    def _get(self, plan: Plan, inputs: list[Columns], outer: Columns | None) -> Columns:
        if plan.get("name") != "seq_scan":
            return self._table_function(plan, inputs)
        data = plan["function_data"]
        table, columns = self._names(data.get("catalog", ""), data.get("schema", ""), data["table"]), plan["names"]
        indexes = [entry["index"] for entry in plan["column_indexes"]]
        names = [columns[n] if n < len(columns) else ROW_NUMBER for n in indexes]
        self.read.update((table, name) for name in names if name != ROW_NUMBER)
        return [Made(frozenset({(table, name)}), whole=True) for name in names]

    def _table_function(self, plan: Plan, inputs: list[Columns]) -> Columns:
        everything = NONE.union(*(column.refs for columns in inputs for column in columns))
        self._use(everything, Use.JOIN)
        made = [Made(everything)] * len(plan["column_indexes"])
        return made + [inputs[0][index] for index in plan.get("projected_input", ())]

    def _delim_get(self, plan: Plan, inputs: list[Columns], outer: Columns | None) -> Columns:
        if outer is None:
            raise Unplanned("a correlated column without its join")
        return [Made(column.refs, True, column.whole) for column in outer]

    def _cte_ref(self, plan: Plan, inputs: list[Columns], outer: Columns | None) -> Columns:
        return list(self._ctes[plan["cte_index"]])

    def _dummy_scan(self, plan: Plan, inputs: list[Columns], outer: Columns | None) -> Columns:
        return [Made()]

    def _empty_result(self, plan: Plan, inputs: list[Columns], outer: Columns | None) -> Columns:
        return [Made() for _ in plan.get("return_types", ())]

    def _expression_get(self, plan: Plan, inputs: list[Columns], outer: Columns | None) -> Columns:
        rows = [self._each(row, inputs) for row in plan.get("expressions", ())]
        return [Made(NONE.union(*(made.refs for made in column))) for column in zip(*rows, strict=True)]

    def _chunk_get(self, plan: Plan, inputs: list[Columns], outer: Columns | None) -> Columns:
        return [Made() for _ in plan.get("chunk_types", ())]

    # -- rows to rows

    def _projection(self, plan: Plan, inputs: list[Columns], outer: Columns | None) -> Columns:
        return self._each(plan.get("expressions", ()), inputs)

    def _filter(self, plan: Plan, inputs: list[Columns], outer: Columns | None) -> Columns:
        for made in self._each(plan.get("expressions", ()), inputs):
            self._use(made.refs, Use.FILTER)
        return inputs[0]

    def _limit(self, plan: Plan, inputs: list[Columns], outer: Columns | None) -> Columns:
        for key in ("limit_val", "offset_val"):
            self._use(self._refs(plan.get(key) or {}, inputs), Use.FILTER)
        return inputs[0]

    def _sample(self, plan: Plan, inputs: list[Columns], outer: Columns | None) -> Columns:
        return inputs[0]

    def _order_by(self, plan: Plan, inputs: list[Columns], outer: Columns | None) -> Columns:
        self._use(self._refs(plan.get("orders", ()), inputs), Use.ORDER)
        return inputs[0]

    def _top_n(self, plan: Plan, inputs: list[Columns], outer: Columns | None) -> Columns:
        return self._order_by(plan, inputs, outer)

    def _distinct(self, plan: Plan, inputs: list[Columns], outer: Columns | None) -> Columns:
        self._use(self._refs(plan.get("distinct_targets", ()), inputs), Use.GROUP)
        self._use(self._refs(plan.get("order_by") or {}, inputs), Use.ORDER)
        return inputs[0]

    def _aggregate_and_group_by(self, plan: Plan, inputs: list[Columns], outer: Columns | None) -> Columns:
        groups = self._each(plan.get("groups", ()), inputs)
        for group in groups:
            if not group.correlated:
                self._use(group.refs, Use.GROUP)
        aggregates = self._each(plan.get("expressions", ()), inputs)
        groupings = [Made(NONE.union(*(groups[n].refs for n in numbers))) for numbers in plan.get("grouping_functions", ())]
        return [*groups, *aggregates, *groupings]

    def _window(self, plan: Plan, inputs: list[Columns], outer: Columns | None) -> Columns:
        return [*inputs[0], *self._each(plan.get("expressions", ()), inputs)]

    def _unnest(self, plan: Plan, inputs: list[Columns], outer: Columns | None) -> Columns:
        made = self._each(plan.get("expressions", ()), inputs)
        for column in made:
            self._use(column.refs, Use.JOIN)
        return [*inputs[0], *made]

    # -- two inputs

    def _cross_product(self, plan: Plan, inputs: list[Columns], outer: Columns | None) -> Columns:
        return [column for columns in inputs for column in columns]

    _positional_join = _cross_product

    def _join(self, plan: Plan, outer: Columns | None) -> Columns:
        if plan.get("left_projection_map") or plan.get("right_projection_map"):
            raise Unplanned("a join that leaves columns out")
        left_plan, right_plan = plan["children"]
        kind, flipped = plan.get("join_type", ""), plan.get("delim_flipped", False)
        if plan["type"] == "LOGICAL_DELIM_JOIN":
            if flipped:
                raise Unplanned("a flipped correlated join")
            left = self.visit(left_plan, outer)
            repeated = self._each(plan.get("duplicate_eliminated_columns", ()), [left])
            right = self.visit(right_plan, repeated)
        else:
            left, right = self.visit(left_plan, outer), self.visit(right_plan, outer)
        decides = self._conditions(plan, left, right, kind)
        if kind == "MARK":
            return [*left, Made(decides)]
        self._use(decides, Use.JOIN)
        if kind in ("SEMI", "ANTI"):
            return left
        return right if kind in ("RIGHT_SEMI", "RIGHT_ANTI") else [*left, *right]

    def _conditions(self, plan: Plan, left: Columns, right: Columns, kind: str) -> Refs:
        """The uses in what decides which rows meet; the engine's own join of a correlated column with itself does not."""
        found: set[Ref] = set()
        for condition in plan.get("conditions", ()):
            ours, theirs = self._made(condition["left"], left), self._made(condition["right"], right)
            if not (condition.get("comparison") == "COMPARE_NOT_DISTINCT_FROM" and (ours.correlated or theirs.correlated)):
                found |= ours.refs | theirs.refs
        if "condition" in plan:
            found |= self._refs(plan["condition"], [left, right])
        for predicate in ("predicate", "arbitrary_expressions", "expressions"):
            if plan.get(predicate):
                found |= self._refs(plan[predicate], [left, right])
        return frozenset(found)

    def _union(self, plan: Plan, inputs: list[Columns], outer: Columns | None) -> Columns:
        columns = list(zip(*inputs, strict=True))
        return [Made(NONE.union(*(made.refs for made in each)), whole=all(made.whole for made in each)) for each in columns]

    _intersect = _union

    def _except(self, plan: Plan, inputs: list[Columns], outer: Columns | None) -> Columns:
        for columns in inputs[1:]:
            self._use(NONE.union(*(column.refs for column in columns)), Use.FILTER)
        return inputs[0]

    def _recursive(self, plan: Plan, outer: Columns | None) -> Columns:
        """What flows around the circle is found by going around it until nothing new comes."""
        start, step = plan["children"]
        found = self.visit(start, outer)
        while True:
            self._ctes[plan["table_index"]] = found
            again = [Made(made.refs | more.refs) for made, more in zip(found, self.visit(step, outer), strict=True)]
            if again == found:
                if not plan.get("union_all"):
                    self._use(NONE.union(*(made.refs for made in found)), Use.GROUP)
                return found
            found = again
