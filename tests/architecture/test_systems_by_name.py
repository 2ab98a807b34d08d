"""Systems: what all slices share names none of them, in code, JSON or the names of files; what a slice needs it declares."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from functools import cache

import pytest

from language.sql.dialect import installed as dialects
from slices.registry import installed as slices
from tests.architecture.test_layout import ROOT, sources

SHARED = ("shared_metadata", "conductor", "console", "infra")
# Where every installation keeps its data and what it knows of it, whatever it collects and publishes; what all addresses begin with;
# what all of it is called.
OF_ATOLL = {"s3", "dynamodb", "http", "atoll"}
SYSTEMS = {"glue", *dialects(), *(slice_.system for slice_ in slices().values())} - OF_ATOLL
NAMED = re.compile("|".join(sorted(SYSTEMS)), re.IGNORECASE)
# Where what all slices share may name a system, and why.
ALLOWED = {
    "shared_metadata/contract/parquet/": "DuckDB reads and writes the Parquet files that slices hand on",
    "shared_metadata/contract/results/": "DuckDB compares results, which are Parquet files",
    "console/rejected.py": "rejected rows are Parquet files, which DuckDB reads",
    "console/new_slice.py": "what a new slice's functions import is what reads and writes Parquet",
    "console/cache.py": "the libraries whose versions decide what the compiler says",
    "console/local.py": "the embedded AWS has a PostgreSQL beside it",
    "infra/bundling.py": "the packages that only functions that work with rows import",
    "shared_metadata/aws_prices.json: glue_request": "what AWS bills for calls of its services, which are counted by their names",
    "shared_metadata/soql.py": "the pattern by which the compiler and a slice know literals, neither of which may import the other",
    "infra/pruning.py": "the services whose descriptions stay in a bundle that has a botocore of its own",
}


def said(text: str) -> Iterator[tuple[int, str]]:
    """Line and text of every name and string of a module's code; examples in docstrings and comments are none of it."""
    tree = ast.parse(text)
    docstrings = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings:
            yield node.lineno, node.value
        elif isinstance(node, (ast.Name, ast.Attribute, ast.FunctionDef, ast.ClassDef, ast.arg, ast.alias, ast.ImportFrom)):
            names = [getattr(node, field, None) for field in ("id", "attr", "name", "arg", "module", "asname")]
            yield from ((node.lineno, name) for name in names if isinstance(name, str))


def keys(document: object) -> Iterator[str]:
    """The keys of a JSON document, at any depth."""
    for key, value in document.items() if isinstance(document, dict) else ():
        yield key
        yield from keys(value)
    for value in document if isinstance(document, list) else ():
        yield from keys(value)


@cache
def places() -> tuple[str, ...]:
    return tuple(_places())


def _places() -> Iterator[str]:
    for file in sources():
        name = str(file.relative_to(ROOT))
        if name.startswith(SHARED) and not name.startswith("infra/embedded/"):
            yield from (f"{name}:{line}: {word}" for line, word in said(file.read_text()) if NAMED.search(word))
            yield from (f"{name}: its name" for found in [NAMED.search(name)] if found)
    for file in (file for folder in SHARED for file in sorted((ROOT / folder).rglob("*.json")) if "embedded" not in file.parts):
        name = str(file.relative_to(ROOT))
        yield from (f"{name}: {key}" for key in keys(json.loads(file.read_text())) if NAMED.search(key))


def test_what_all_slices_share_names_no_system() -> None:
    assert [place for place in places() if not place.startswith(tuple(ALLOWED))] == []


@pytest.mark.parametrize("where", ALLOWED)
def test_what_is_excepted_still_names_one(where: str) -> None:
    assert any(place.startswith(where) for place in places())


@pytest.mark.parametrize("code", ['if system == "postgres": ...', "import duckdb", "from systems.iceberg import client", "a.glue(1)"])
def test_what_names_one_is_noticed(code: str) -> None:
    assert any(NAMED.search(word) for _, word in said(code))
    assert not any(NAMED.search(word) for _, word in said(f'"""{code}"""  # {code}'))
