"""A name that a source chose cannot steer the terminal of whoever reads of it."""

from __future__ import annotations

import pytest

from console.logs import _line
from shared_metadata.errors import DefinitionError

pytestmark = pytest.mark.security
STEERING = "\x1b]0;title\x07\x1b[2J\r\u202e\x9b"


def test_an_error_shows_control_characters_instead_of_doing_what_they_say() -> None:
    said = str(DefinitionError(f"the table {STEERING} is not there", place="p.sql:1:1", remedy=f"create {STEERING}"))
    assert not set(STEERING) & {*said} - {*"]0;title[2J"}
    assert "\\x1b]0;title\\x07\\x1b[2J\\r\\u202e\\x9b" in said


def test_text_of_other_languages_and_lines_stay_as_they_are() -> None:
    assert str(DefinitionError("Zürich 東京 🛫\nnext line")) == "Zürich 東京 🛫\nnext line"


def test_a_line_of_a_log_does_so_too() -> None:
    entry = {"at": "now", "level": "ERROR", "function": "f", "message": STEERING, "table": STEERING}
    assert not {"\x1b", "\x07", "\r", "\u202e", "\x9b"} & {*_line(entry)}
