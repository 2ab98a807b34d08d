"""Golden cases of typed programs: each `typed/*.sql` is a program over the snapshots in `typed/schemas`, with its columns or errors.

`ATOLL_UPDATE_GOLDEN=1` writes the expected files anew; without it a missing or different one fails.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import pytest

from language import ProgramErrors, compile_with_positions
from language.compiler import Compilation
from shared_metadata.contract.declaration import Slice
from shared_metadata.program.lineage import ColumnRef, DatasetLineage, Lineage, Use
from shared_metadata.program.masks import said
from shared_metadata.program.source_schemas import ConnectionSchemas, SourceSchemas

CASES = Path(__file__).parent / "typed"
PROGRAMS = sorted(CASES.glob("*.sql"))
UPDATE = os.environ.get("ATOLL_UPDATE_GOLDEN") == "1"


@pytest.fixture(scope="module")
def schemas() -> SourceSchemas:
    found = (ConnectionSchemas.from_json(file.read_text()) for file in (CASES / "schemas").glob("*.json"))
    return {snapshot.connection: snapshot for snapshot in found}


def _compiled(case: Path, slices: Mapping[str, Slice], schemas: SourceSchemas) -> Compilation:
    return compile_with_positions({case.name: case.read_text()}, slices, schemas)


def _shown(compilation: Compilation) -> str:
    """The columns of every dataset, its uses of columns other than for their value, and every query as it will run."""
    assert compilation.lineage is not None
    lines = []
    for dataset in compilation.lineage.datasets.values():
        lines += ["", f"{dataset.dataset} ({dataset.flow})", *_columns(dataset)]
    for flow in compilation.program.flows.values():
        text = flow.query or ", ".join(f"{c.source} AS {c.name}" for c in flow.columns)
        lines += ["", f"{flow.id}: {text}"] if text else []
    return "\n".join(lines).lstrip() + "\n"


def _columns(dataset: DatasetLineage) -> list[str]:
    found = [
        f"  {c.position.line}:{c.position.column} {c.name} {c.type}{'' if c.nullable else ' required'}"
        + (f" masked: {said(c.masked)}" if c.masked else "")
        + "".join(f" < {ref}" for ref in c.inputs)
        for c in dataset.columns
    ]
    found += [
        f"  {u.position.line}:{u.position.column} {u.use.value.upper()} {u.column}" for u in dataset.uses if u.use is not Use.VALUE
    ]
    return found


@pytest.mark.parametrize("case", PROGRAMS, ids=lambda path: path.stem)
def test_a_program_has_its_columns_or_its_errors(case: Path, slices: Mapping[str, Slice], schemas: SourceSchemas) -> None:
    expected = case.with_suffix(".errors.txt" if case.stem.startswith("error_") else ".columns.txt")
    if case.stem.startswith("error_"):
        with pytest.raises(ProgramErrors) as caught:
            _compiled(case, slices, schemas)
        actual = f"{caught.value}\n"
    else:
        actual = _shown(_compiled(case, slices, schemas))
    if UPDATE:
        expected.write_text(actual)
    assert actual == expected.read_text(), f"{expected.name} differs: look at it, then run with ATOLL_UPDATE_GOLDEN=1"


@pytest.mark.parametrize("name", ["stars", "lineage"])
def test_what_is_pinned_compiles_to_the_same_columns(name: str, slices: Mapping[str, Slice], schemas: SourceSchemas) -> None:
    """A view's pinned query, put in place of its text, means what the text meant."""
    case = CASES / f"{name}.sql"
    first = _compiled(case, slices, schemas)
    text = case.read_text()
    for statement, pinned in zip(first.resolved.statements, _pinned(first), strict=True):
        if statement.query is not None and not statement.statement.clauses.tables and pinned is not None:
            text = text.replace(statement.query.span.text, pinned, 1)
    again = compile_with_positions({case.name: text}, slices, schemas)
    assert first.lineage is not None and again.lineage is not None
    assert _made_of(again.lineage) == _made_of(first.lineage)


def _pinned(compilation: Compilation) -> list[str | None]:
    queries = {table.dataset.removesuffix(":result"): f.query for f in compilation.program.flows.values() for table in f.tables}
    return [queries.get(getattr(statement, "dataset", "")) for statement in compilation.resolved.statements]


def _made_of(lineage: Lineage) -> dict[str, list[tuple[str, str, tuple[ColumnRef, ...]]]]:
    return {name: [(c.name, c.type, c.inputs) for c in dataset.columns] for name, dataset in lineage.datasets.items()}


@pytest.mark.parametrize("name", ["lineage", "mask_fields"])
def test_lineage_survives_json(name: str, slices: Mapping[str, Slice], schemas: SourceSchemas) -> None:
    lineage = _compiled(CASES / f"{name}.sql", slices, schemas).lineage
    assert lineage is not None
    assert Lineage.from_json(lineage.to_json()) == lineage and Lineage.from_json(lineage.to_json()).version == lineage.version


def test_a_moved_statement_has_the_same_signature(slices: Mapping[str, Slice], schemas: SourceSchemas) -> None:
    text = (CASES / "lineage.sql").read_text()
    one = compile_with_positions({"p.sql": text}, slices, schemas).lineage
    other = compile_with_positions({"p.sql": "\n\n-- moved\n" + text}, slices, schemas).lineage
    assert one is not None and other is not None
    assert {name: each.signature for name, each in one.datasets.items()} == {n: each.signature for n, each in other.datasets.items()}
    assert one.version != other.version
