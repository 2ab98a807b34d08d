"""Writes a generated project as each tool wants it: a file a view, the sources' columns and types beside them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from benchmarks.projects.generate import COLUMNS, SQL_TYPES, Generated, View
from shared_metadata.program.schema import Schema, SchemaColumn
from shared_metadata.program.source_schemas import FOLDER, ConnectionSchemas

# Dialect ▸ the warehouse of it.
WAREHOUSES = {
    "duckdb": "USING iceberg",
    "trino": "USING iceberg WITH (engine = 'athena')",
    "spark": "USING iceberg WITH (engine = 'spark')",
    "redshift": "USING redshift WITH (managed = TRUE)",
    "snowflake": (
        "USING snowflake WITH (account = 'my-one', database = 'd', role = 'r', warehouse = 'w', stage = 'd.public.s', secret = 's', "
        "storage_user_arn = 'arn:aws:iam::123456789012:user/u', storage_external_id = 'e')"
    ),
    "databricks": (
        "USING databricks WITH (host = 'dbc-1.cloud.databricks.com', warehouse_id = '0123456789abcdef', catalog = 'c', "
        "secret = 's', storage_principal_arn = 'arn:aws:iam::123456789012:role/r', storage_external_id = 'e')"
    ),
}


def atoll(project: Generated, folder: Path) -> None:
    """`atoll check .`: the sources are collected whole; the views stand in one schema."""
    columns = tuple(SchemaColumn(name, kind, True, name, SQL_TYPES[kind]) for name, kind in COLUMNS.items())
    tables = {f"public.{source}": Schema(columns) for source in project.sources}
    _write(folder / FOLDER / "ops.json", ConnectionSchemas("ops", "postgres", tables).to_json())
    names = ", ".join(project.sources)
    collect = f"INSERT INTO lake.raw FROM ops.public TABLES ({names}) EVERY '1 hour';\n"
    declared = f"CREATE WAREHOUSE lake {WAREHOUSES[project.dialect]};\nCREATE CONNECTION ops TO postgres WITH (secret = 'ops');\n\n"
    _write(folder / "program.sql", declared + collect)
    for view in project.views:
        atoll_view(view, folder)


def atoll_view(view: View, folder: Path) -> None:
    names = {name: f"lake.raw.{name}" if name.startswith("source") else f"lake.views.{name}" for name in view.inputs}
    text = f"CREATE MATERIALIZED VIEW lake.views.{view.name}\n  EVERY '1 hour' REPLACE\nAS\n{view.query.format(**names)};\n"
    _write(folder / f"{view.name}.sql", text)


def sqlmesh(project: Generated, folder: Path) -> None:
    """A duckdb gateway in memory; the sources are external models with their types."""
    _write(
        folder / "config.yaml",
        "gateways:\n  memory:\n    connection:\n      type: duckdb\ndefault_gateway: memory\n"
        f"model_defaults:\n  dialect: {project.dialect}\n  start: 2026-01-01\ndisable_anonymized_analytics: true\n",
    )
    columns = "".join(f"    {name}: {SQL_TYPES[kind]}\n" for name, kind in COLUMNS.items())
    external = "".join(f"- name: raw.{source}\n  columns:\n{columns}" for source in project.sources)
    _write(folder / "external_models.yaml", external)
    for view in project.views:
        sqlmesh_view(view, folder)


def sqlmesh_view(view: View, folder: Path) -> None:
    names = {name: f"raw.{name}" if name.startswith("source") else f"views.{name}" for name in view.inputs}
    text = f"MODEL (name views.{view.name}, kind FULL, cron '@hourly');\n\n{view.query.format(**names)};\n"
    _write(folder / "models" / f"{view.name}.sql", text)


def dbt(project: Generated, folder: Path) -> None:
    """A duckdb profile in memory."""
    _write(folder / "dbt_project.yml", "name: views\nversion: '1.0'\nprofile: memory\nmodel-paths: [models]\n")
    _write(
        folder / "profiles.yml", "memory:\n  target: memory\n  outputs:\n    memory:\n      type: duckdb\n      path: ':memory:'\n"
    )
    tables = "".join(f"      - name: {source}\n" for source in project.sources)
    _write(folder / "models" / "sources.yml", f"sources:\n  - name: raw\n    tables:\n{tables}")
    for view in project.views:
        dbt_view(view, folder)


def dbt_view(view: View, folder: Path) -> None:
    names = {n: f"{{{{ source('raw', '{n}') }}}}" if n.startswith("source") else f"{{{{ ref('{n}') }}}}" for n in view.inputs}
    _write(folder / "models" / f"{view.name}.sql", view.query.format(**names) + "\n")


def _write(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")


LAYOUTS: dict[str, Callable[[Generated, Path], None]] = {"atoll": atoll, "sqlmesh": sqlmesh, "dbt": dbt}
VIEWS: dict[str, Callable[[View, Path], None]] = {"atoll": atoll_view, "sqlmesh": sqlmesh_view, "dbt": dbt_view}
