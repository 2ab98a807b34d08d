"""What decides whether a page is true: it sees every command, and a line that is not printed."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.shown import edit, is_shown, steps

TUTORIAL = Path(__file__).resolve().parents[2] / "docs" / "tutorial.md"
OUTPUT = "starting\n\nops: 2 tables   \n  + public.orders: 4 columns\nat 12:30:05, done\n"


@pytest.mark.parametrize(
    ("printed", "shown"),
    [
        ("", True),
        ("ops: 2 tables\n  + public.orders: 4 columns\n", True),
        ("starting\n\nat …, done\n", True),
        ("…: 2 tables\n", True),
        ("  + public.orders: 4 columns\nops: 2 tables\n", False),  # not in this order
        ("ops: 2 tables\nops: 2 tables\n", False),
        ("ops: 2\n", False),
        ("+ public.orders: 4 columns\n", False),
        ("ops: . tables\n", False),
        ("at …, done too\n", False),
    ],
)
def test_each_line_has_to_be_printed_whole_and_in_its_place(printed: str, shown: bool) -> None:
    assert is_shown(printed, OUTPUT) is shown


def test_no_command_and_no_edit_of_the_tutorial_is_passed_over() -> None:
    text = TUTORIAL.read_text()
    kinds = [step.kind for step in steps(TUTORIAL)]
    assert kinds.count("command") == sum(line.startswith("$ ") for line in text.splitlines()) > 20
    assert kinds.count("edit") == text.count("```diff")
    assert kinds.count("file") == text.count("```postgresql") + text.count("```text") == 2
    assert all(line not in step.text for step in steps(TUTORIAL) for line in ("$ ", "```"))


def test_an_edit_that_does_not_fit_fails(tmp_path: Path) -> None:
    file = tmp_path / "program.sql"
    file.write_text("a\nb\na\n")
    edit(file, "-b\n+c\n")
    assert file.read_text() == "a\nc\na\n"
    for diff in ("-a\n+b\n", "-d\n+e\n"):
        with pytest.raises(AssertionError):
            edit(file, diff)
