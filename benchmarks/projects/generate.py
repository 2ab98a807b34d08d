"""Generates views over views over source tables: joins, CTEs, aggregates, windows, unions; the same seed gives the same views.

A view's query names its inputs as {name}, for each tool's own way of naming a table. Every dataset has the columns COLUMNS, so that
any view can read any other below it.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from dataclasses import dataclass

import sqlglot

DUCKDB = "duckdb"
LAYERS = 10
VIEWS_PER_SOURCE = 25
COLUMNS = {
    "id": "long", "parent_id": "long", "region_id": "long", "code": "string", "label": "string", "category": "string",
    "quantity": "long", "price": "double", "discount": "double", "cost": "double", "score": "double", "active": "boolean",
    "day": "timestamp", "created_at": "timestamp", "updated_at": "timestamp",
}  # fmt: skip
SQL_TYPES = {"long": "bigint", "string": "varchar", "double": "double", "boolean": "boolean", "timestamp": "timestamp"}
COMPARISONS = (
    "a.category <> 'none'", "a.quantity > {n}", "a.price BETWEEN {n} AND {m}", "a.active",
    "a.code LIKE 'A{n}%'", "a.created_at >= TIMESTAMP '2026-01-{day:02} 00:00:00'",
)  # fmt: skip


@dataclass(frozen=True)
class View:
    """`query` with its inputs' names in braces: sources ('source_007') and views ('view_00042')."""

    name: str
    inputs: tuple[str, ...]
    query: str


@dataclass(frozen=True)
class Generated:
    """Source tables, all of COLUMNS, and views, each after those that it reads, in a dialect of sqlglot's names."""

    sources: tuple[str, ...]
    views: tuple[View, ...]
    dialect: str


def generate(count: int, seed: int = 1, dialect: str = DUCKDB) -> Generated:
    """`count` views in LAYERS layers; each reads the layer below it and, now and then, a source."""
    random_ = random.Random(seed)
    sources = tuple(f"source_{number:03}" for number in range(max(count // VIEWS_PER_SOURCE, 4)))
    below: list[str] = list(sources)
    layer: list[str] = []
    views = []
    for number in range(count):
        if number and number % max(count // LAYERS, 1) == 0 and layer:
            below, layer = layer, []
        inputs = (random_.choice(below), *random_.sample([*below, *sources[:4]], 2))
        shape = random_.choice(SHAPES)
        views.append(View(f"view_{number:05}", tuple(dict.fromkeys(inputs)), _in(dialect, shape(inputs, random_))))
        layer.append(views[-1].name)
    return Generated(sources, tuple(views), dialect)


def edited(view: View) -> View:
    """The view as somebody changes it who filters more: its columns stay what they are."""
    return View(view.name, view.inputs, view.query.replace("WHERE ", "WHERE a.quantity < 1000000 AND ", 1))


def _in(dialect: str, query: str) -> str:
    """The query as DuckDB has it, or by sqlglot as another engine does; it keeps the places of its inputs."""
    if dialect == DUCKDB:
        return query
    marked = query.replace("{", "place_").replace("}", "_end")
    (written,) = sqlglot.transpile(marked, read=DUCKDB, write=dialect)
    return re.sub(r"place_(\w+?)_end", r"{\1}", written.replace("GREATEST_IGNORE_NULLS", "GREATEST"))


def _filter(random_: random.Random) -> str:
    chosen = random_.sample(COMPARISONS, 2)
    low = random_.randint(1, 50)
    return " AND ".join(chosen).format(n=low, m=low + 100, day=random_.randint(1, 28))


def _joined(inputs: tuple[str, ...], random_: random.Random) -> str:
    """Two CTEs, one of them an aggregate, joined."""
    one, two, three = inputs
    return f"""WITH chosen AS (
  SELECT a.id, a.parent_id, a.region_id, upper(a.code) AS code, a.label, a.category, a.quantity, a.price, a.discount, a.cost,
         a.active, a.day, a.created_at, a.updated_at
  FROM {{{one}}} a
  WHERE {_filter(random_)}
), totals AS (
  SELECT t.parent_id, count(*) AS entries, avg(t.price) AS mean_price, max(t.updated_at) AS last_change, sum(t.cost) AS total_cost
  FROM {{{two}}} t
  GROUP BY t.parent_id
  HAVING count(*) > {random_.randint(1, 9)}
)
SELECT c.id, c.parent_id, c.region_id, c.code, coalesce(r.label, c.label) AS label, c.category,
       c.quantity + coalesce(t.entries, 0) AS quantity, coalesce(t.mean_price, c.price) AS price, c.discount,
       CASE WHEN c.cost > {random_.randint(5, 99)} THEN c.cost ELSE t.total_cost END AS cost,
       c.price * (1 - c.discount) - c.cost AS score, c.active AND r.active AS active, date_trunc('day', c.day) AS day,
       c.created_at, greatest(c.updated_at, t.last_change) AS updated_at
FROM chosen c
LEFT JOIN totals t ON t.parent_id = c.id
LEFT JOIN {{{three}}} r ON r.id = c.region_id AND r.active"""


def _aggregated(inputs: tuple[str, ...], random_: random.Random) -> str:
    one, two, _ = inputs
    return f"""SELECT min(a.id) AS id, a.parent_id, a.region_id, a.code, max(b.label) AS label, a.category,
       count(*) AS quantity, avg(a.price) AS price, max(a.discount) AS discount, sum(a.cost * b.discount) AS cost,
       sum(a.score) / nullif(count(b.id), {random_.randint(0, 9)}) AS score, bool_or(a.active) AS active,
       date_trunc('{random_.choice(("day", "week", "month"))}', a.day) AS day, min(a.created_at) AS created_at,
       max(b.updated_at) AS updated_at
FROM {{{one}}} a
JOIN {{{two}}} b ON b.parent_id = a.id AND b.category = a.category
WHERE {_filter(random_)}
GROUP BY a.parent_id, a.region_id, a.code, a.category, date_trunc('day', a.day), a.day
HAVING sum(a.price) > {random_.randint(1, 500)}"""


def _ranked(inputs: tuple[str, ...], random_: random.Random) -> str:
    """Windows in a subquery, of which the newest row is kept."""
    one, two, _ = inputs
    return f"""SELECT w.id, w.parent_id, w.region_id, w.code, w.label, w.category, w.quantity, w.price, w.discount, w.running AS cost,
       w.price - coalesce(w.former, 0.0) AS score, w.active, w.day, w.created_at, w.updated_at
FROM (
  SELECT a.id, a.parent_id, b.region_id, a.code, concat(a.label, ' / ', b.label) AS label, a.category, a.quantity, a.price,
         a.discount, a.active, a.day, a.created_at, a.updated_at,
         lag(a.price) OVER (PARTITION BY a.parent_id ORDER BY a.updated_at) AS former,
         sum(a.cost) OVER (PARTITION BY a.region_id ORDER BY a.day) AS running,
         row_number() OVER (PARTITION BY a.id ORDER BY a.updated_at DESC) AS position
  FROM {{{one}}} a
  JOIN {{{two}}} b ON b.id = a.parent_id
  WHERE {_filter(random_)}
) w
WHERE w.position = 1 AND w.price > {random_.randint(1, 99)}"""


def _united(inputs: tuple[str, ...], random_: random.Random) -> str:
    one, two, three = inputs
    columns = "a.id, a.parent_id, a.region_id, a.code, a.label, a.category, a.quantity"
    rest = "a.active, a.day, a.created_at, a.updated_at"
    return f"""SELECT {columns}, a.price, a.discount, a.cost, a.score, {rest}
FROM {{{one}}} a
WHERE {_filter(random_)}
UNION ALL
SELECT {columns}, a.price * {random_.randint(2, 9)}.5 AS price, a.discount, a.cost, a.price - a.cost AS score, {rest}
FROM {{{two}}} a
WHERE a.parent_id IN (SELECT i.id FROM {{{three}}} i WHERE i.quantity > {random_.randint(1, 99)})"""


SHAPES: tuple[Callable[[tuple[str, ...], random.Random], str], ...] = (_joined, _joined, _aggregated, _aggregated, _ranked, _united)
