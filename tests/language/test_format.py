"""Formatting is idempotent, keeps every comment, and leaves the program's plan as it was."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from language import format_program
from shared_metadata.contract.declaration import Slice
from tests.language.oracle import meaning

CASES = Path(__file__).parent / "cases"
COMPILING = [
    path.read_bytes().decode()
    for path in sorted(CASES.glob("*.sql"))
    if not path.name.startswith("error_") and not path.name.endswith(".format.sql")
]
_SPLIT = re.compile(r"'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|--[^\n]*\n|/\*.*?\*/|\w+|\s+|.", re.DOTALL)


def _comments(text: str) -> list[str]:
    """The words of all comments, sorted: layout may move a comment before its clause, and indents it."""
    found = re.findall(r"""'(?:[^']|'')*'|"(?:[^"]|"")*"|(--[^\n\r]*|/\*.*?\*/)""", text, re.DOTALL)
    return sorted(word for comment in found for word in comment.split())


@pytest.mark.parametrize("text", COMPILING)
def test_a_formatted_program_stays_as_it_is_and_means_the_same(text: str, slices: Mapping[str, Slice]) -> None:
    formatted = format_program(text, "p.sql")
    assert format_program(formatted, "p.sql") == formatted
    assert meaning(formatted, slices) == meaning(text, slices)


def test_every_comment_survives(slices: Mapping[str, Slice]) -> None:
    text = (CASES / "design.sql").read_text()
    assert _comments(text) and _comments(format_program(text, "p.sql")) == _comments(text)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.sampled_from(COMPILING), data=st.data())
def test_white_space_comments_and_case_change_nothing(text: str, data: st.DataObject, slices: Mapping[str, Slice]) -> None:
    gap = st.sampled_from([" ", "\n", "\t", "\n\n", " -- a note\n", " /* a\nblock */ ", "\r\n", "  \n  "])
    pieces = _SPLIT.findall(text)
    # sqlglot reads GROUP BY and ORDER BY as one token, which a comment may not part
    spaces = [i for i, piece in enumerate(pieces) if piece.isspace() and pieces[i - 1].upper() not in ("GROUP", "ORDER")]
    changed = data.draw(st.lists(st.sampled_from(spaces), max_size=8, unique=True)) if spaces else []
    for index in changed:
        pieces[index] = data.draw(gap)
    mutated = "".join(pieces)
    formatted = format_program(mutated, "p.sql")
    assert format_program(formatted, "p.sql") == formatted
    assert _comments(formatted) == _comments(mutated)
    assert meaning(formatted, slices) == meaning(mutated, slices) == meaning(text, slices)
