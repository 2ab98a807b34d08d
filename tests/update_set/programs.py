"""Random programs of views over one collected table, and random changes of them; every query is also run by DuckDB."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field

from hypothesis import strategies as st

from language.compiler import Compilation, compile_sources
from shared_metadata.program.schema import Schema, SchemaColumn
from shared_metadata.program.source_schemas import ConnectionSchemas
from slices.registry import installed

VALUES = ("v0", "v1", "v2")
SCHEMAS = {
    "src": ConnectionSchemas(
        "src",
        "postgres",
        {"public.t": Schema(tuple(SchemaColumn(name, "long", source=name, source_type="bigint") for name in ("k", *VALUES)))},
    )
}
HEAD = """CREATE WAREHOUSE lake USING iceberg;
CREATE CONNECTION src TO postgres WITH (secret = 'src');
INSERT INTO lake.s.t EVERY '1 hour' REPLACE AS SELECT k, v0, v1, v2 FROM src.public.t;
"""
TABLE = "lake.s.t"
EXPRESSIONS = ("l.{0}", "l.{0} + 1", "coalesce(l.{0}, 0)", "l.{0} - r.{1}", "CASE WHEN l.{0} > r.{1} THEN 1 ELSE 0 END")
AGGREGATES = ("max(l.{0})", "min(l.{0} + r.{1})", "count(l.{0})", "count(*)")
CONDITIONS = ("", "l.{0} > 1", "l.{0} IN (SELECT {1} FROM {2})", "EXISTS (SELECT 1 FROM {2} AS e WHERE e.{1} = l.{0})")


@dataclass(frozen=True)
class View:
    """One view. left, right: the datasets that it reads.  shape: 'plain' | 'grouped' | 'distinct' | 'union' | 'cte'."""

    name: str
    left: str
    right: str
    expressions: tuple[tuple[int, str, str], ...]
    condition: tuple[int, str, str]
    shape: str
    alias: str = "l"

    @property
    def sql(self) -> str:
        choices = AGGREGATES if self.shape == "grouped" else EXPRESSIONS
        items = [f"{choices[n % len(choices)].format(a, b)} AS {v}" for v, (n, a, b) in zip(VALUES, self.expressions, strict=True)]
        number, a, b = self.condition
        where = CONDITIONS[number].format(a, b, self.right)
        left = "c" if self.shape == "cte" else self.left
        text = f"SELECT{' DISTINCT' if self.shape == 'distinct' else ''} l.k AS k, {', '.join(items)}\nFROM {left} AS l"
        text += f" LEFT JOIN {self.right} AS r ON r.k = l.k" + (f"\nWHERE {where}" if where else "")
        if self.shape == "grouped":
            text += "\nGROUP BY 1"
        if self.shape == "union":
            text += f"\nUNION ALL SELECT k, v1, v0, v2 FROM {self.right}"
        if self.shape == "cte":
            n, x, y = self.expressions[0]
            text = f"WITH c AS (SELECT k, {x} + {n} AS v0, {y} AS v1, v2 FROM {self.left})\n{text}"
        return text.replace("l.", f"{self.alias}.").replace(" AS l", f" AS {self.alias}")

    @property
    def statement(self) -> str:
        return f"CREATE MATERIALIZED VIEW {self.name} EVERY '1 hour' REPLACE AS\n{self.sql};\n"


@dataclass(frozen=True)
class Source:
    """A program: views, each reading only the table and views before it."""

    views: tuple[View, ...] = field(default=())

    @property
    def text(self) -> str:
        return HEAD + "".join(view.statement for view in self.views)

    def compile(self) -> Compilation:
        return compile_sources({"program.sql": self.text}, installed(), SCHEMAS)


columns = st.sampled_from(VALUES)


@st.composite
def views(draw: st.DrawFn, name: str, known: list[str]) -> View:
    return View(
        name,
        draw(st.sampled_from(known[-2:])),
        draw(st.sampled_from(known)),
        tuple((draw(st.integers(0, 4)), draw(columns), draw(columns)) for _ in VALUES),
        (draw(st.integers(0, len(CONDITIONS) - 1)), draw(columns), draw(columns)),
        draw(st.sampled_from(("plain", "grouped", "distinct", "union", "cte"))),
    )


@st.composite
def sources(draw: st.DrawFn) -> Source:
    found: list[View] = []
    for number in range(draw(st.integers(2, 5))):
        found.append(draw(views(f"lake.a.w{number}", [TABLE, *(view.name for view in found)])))
    return Source(tuple(found))


@st.composite
def changes(draw: st.DrawFn, before: Source) -> Source:
    """Some views changed, the last perhaps removed, perhaps a new one added."""
    found = list(before.views)
    for number in draw(st.sets(st.integers(0, len(found) - 1), min_size=1, max_size=2)):
        known = [TABLE, *(view.name for view in found[:number])]
        other = draw(views(found[number].name, known))
        part = draw(st.sampled_from(("expressions", "expressions", "condition", "shape", "left", "right", "alias")))
        if part == "alias":
            found[number] = dataclasses.replace(found[number], alias="lhs")
        else:
            found[number] = dataclasses.replace(found[number], **{part: getattr(other, part)})
    if len(found) > 1 and draw(st.booleans()):
        found.pop()
    if draw(st.booleans()):
        found.append(draw(views("lake.a.added", [TABLE, *(view.name for view in found)])))
    return Source(tuple(found))
