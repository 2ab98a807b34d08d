"""Where in a statement its query's columns and stars stand: offsets into the query's text become places of the program."""

from __future__ import annotations

from collections.abc import Iterable

from language.forms.resolved import Edits
from language.sql.query import first_word
from language.text.diagnostics import Span
from shared_metadata.program.lineage import ColumnRef, ColumnUse, Use


def with_edits(base: Span, edits: Edits, more: Iterable[tuple[int, int, str]]) -> Edits:
    """The statement's edits and those at offsets of its query's text; of what lies within one of these, these hold."""
    placed = [(Span(base.source, base.start + start, base.start + end), text) for start, end, text in more]
    kept = [e for e in edits if not any(span.start <= e[0].start and e[0].end <= span.end for span, _ in placed)]
    return (*kept, *placed)


def within(base: Span, start: int, end: int) -> Span:
    """[start, end) of the text at `base`; its first word where sqlglot told no place."""
    return Span(base.source, base.start + start, base.start + end) if end else first_word(base)


def first_uses(uses: Iterable[tuple[ColumnRef, Use, Span]]) -> tuple[ColumnUse, ...]:
    """Each column and kind once, at its first place."""
    found: dict[tuple[ColumnRef, Use], Span] = {}
    for ref, use, span in uses:
        former = found.get((ref, use))
        if former is None or (span.source.file, span.start) < (former.source.file, former.start):
            found[ref, use] = span
    placed = sorted((ref.dataset, ref.column, use, ref, span) for (ref, use), span in found.items())
    return tuple(ColumnUse(ref, use, span.position) for _, _, use, ref, span in placed)
