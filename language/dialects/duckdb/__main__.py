"""Writes catalogue.json, `python -m language.dialects.duckdb`: DuckDB's functions, as the version that is installed tells them."""

from __future__ import annotations

import json

import duckdb

from language.dialects.duckdb.catalogue import FILE
from language.dialects.duckdb.engine import engine

kept = {"version": duckdb.__version__, "functions": engine().catalogue.functions()}
FILE.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")
