"""The code of a function in the project's folder: what `check` says of it, and by what a change of it is known."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from shared_metadata.contract.made_for import digests, not_made_for
from shared_metadata.errors import DefinitionError
from shared_metadata.program import Call, Flow, Kind, Position, Program, Table
from shared_metadata.program.schema import SchemaColumn
from slices.organize.pyfunctions.project import check, code_of
from slices.organize.pyfunctions.slice import SLICE

COLUMNS = (SchemaColumn("id", "long"),)
OPTIONS: dict[str, Any] = {"handler": "models.delay:risk"}
CALL = Call("lake.results-of-functions.risk-1", "risk", "python", OPTIONS, "SELECT 1 AS id", COLUMNS, COLUMNS, "program.sql:3:17")


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "delay.py").write_text("def risk(rows): return rows")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def _flow(call: Call) -> Flow:
    return Flow("lake.v.a", Kind.VIEW, SLICE.id, "lake", 3600, (Table("lake.v.a"),), Position("program.sql", 1, 1), calls=(call,))


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"options": {}}, "needs the option handler: a module in a folder of the project"),
        ({"options": {"handler": "delay:risk"}}, "another value than it takes for the option handler"),
        ({"options": {**OPTIONS, "cpu": 1}}, "has no option cpu"),
        ({"options": {**OPTIONS, "memory_mb": 64}}, "for the option memory_mb: a whole number from 256 to 10,240"),
        ({"options": {**OPTIONS, "deterministic": False}}, "is not deterministic"),
        ({"options": {"handler": "models.rank:risk"}}, "has its handler in models/rank.py, which is not there"),
        ({"options": {"handler": "language.delay:risk"}}, "is in language/, which is the name of a package"),
        ({"function": "r" * 40}, "has a name of more than"),
        ({"returns": (SchemaColumn("at", "list<uuid>"),)}, "has a column at of list<uuid>, and uuid is nothing that it is given"),
    ],
)
def test_what_cannot_run_is_refused_by_check_with_the_function_s_place(changed: dict[str, Any], said: str) -> None:
    check(_flow(CALL), {})
    with pytest.raises(DefinitionError) as raised:
        check(_flow(replace(CALL, **changed)), {})
    assert said in str(raised.value) and "program.sql:3:17" in str(raised.value)


def test_packages_that_are_not_pinned_are_refused(project: Path) -> None:
    (project / "models" / "requirements.txt").write_text("six==1.17.0\n")
    with pytest.raises(DefinitionError, match="six is not pinned to one version and its hashes"):
        check(_flow(CALL), {})


def test_a_changed_line_asks_for_another_deploy(project: Path) -> None:
    def program(code: str) -> Program:
        return Program({}, {}, {"lake.v.a": _flow(replace(CALL, code=code))})

    before = code_of(OPTIONS)
    (project / "models" / "__pycache__").mkdir()
    (project / "models" / "__pycache__" / "delay.pyc").write_text("x")
    assert before and code_of(OPTIONS) == before
    (project / "models" / "other.py").write_text("AT = 1")
    after = code_of(OPTIONS)
    deployed = {"made_for": digests(SLICE, program(before))}
    assert not_made_for(SLICE, program(before), deployed) == []
    (lacks,) = not_made_for(SLICE, program(after), deployed)
    assert lacks.startswith("the function risk as it is now (")
