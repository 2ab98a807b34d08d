"""The language's reference is true: its examples are one program that compiles, and its errors are those shown."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from language import ProgramErrors, compile_program, format_program
from shared_metadata.contract.declaration import Slice

REFERENCE = (Path(__file__).parents[2] / "docs" / "language.md").read_text(encoding="utf-8")


def _blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", REFERENCE, re.MULTILINE | re.DOTALL)


def test_the_examples_are_one_program(slices: Mapping[str, Slice]) -> None:
    program = compile_program({"program.sql": "".join(_blocks("sql"))}, slices)
    assert {flow.stage for flow in program.flows.values()} == {"collect", "organize", "harness"}
    assert "lake.ops.carriers" in program.producers()


@pytest.mark.parametrize("block", _blocks("sql"))
def test_the_examples_are_laid_out(block: str) -> None:
    assert format_program(block, "program.sql") == block


def test_the_errors_are_as_shown(slices: Mapping[str, Slice]) -> None:
    (wrong,), (shown,) = _blocks("sql wrong"), _blocks("text")
    with pytest.raises(ProgramErrors) as raised:
        compile_program({"program.sql": wrong}, slices)
    assert f"{raised.value}\n" == shown
