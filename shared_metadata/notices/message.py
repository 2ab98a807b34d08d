"""The shape of a message: a subject that SNS accepts, blocks of lines, and the words for a batch that covers several."""

from __future__ import annotations

from collections.abc import Iterable

SUBJECT_CHARACTERS = 99  # https://docs.aws.amazon.com/sns/latest/api/API_Publish.html


def subject_line(text: str) -> str:
    """The text as ASCII in one line."""
    return "".join(c if c.isascii() and c.isprintable() else "?" for c in text)[:SUBJECT_CHARACTERS]


def block(title: str, lines: Iterable[str]) -> list[str]:
    """A title with lines below it, set off; nothing without lines."""
    found = [f"  {line}" for line in lines]
    return ["", title, *found] if found else []


def covering(intervals: int, end: str = "") -> str:
    """The words ', which covers 130 batches' for a batch of as many missed intervals, with `end` after it; '' for any other."""
    return f", which covers {intervals:,} batches{end}" if intervals > 1 else ""
