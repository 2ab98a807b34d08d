"""Edits of a text at known places, and where a place stands after them."""

from __future__ import annotations

from collections.abc import Iterable

from language.text.diagnostics import Span
from shared_metadata.program.places import Place


def edited(span: Span, edits: Iterable[tuple[Span, str]]) -> str:
    """The text at `span` with the text of each edit inside it replaced; edits must not overlap, but may repeat."""
    text, pieces, done = span.source.text, list[str](), span.start
    for edit, replacement in _within(span, edits):
        pieces += text[done : edit.start], replacement
        done = edit.end
    return "".join([*pieces, text[done : span.end]])


def moved(span: Span, edits: Iterable[tuple[Span, str]], places: Iterable[Span]) -> list[tuple[int, int]]:
    """Where in the edited text those places stand that lie within `span`: an edit stands within a place, or beside it."""
    inside = _within(span, edits)
    if not inside:
        return [(place.start - span.start, place.end - span.start) for place in places]
    found = []
    for place in places:
        before = sum(
            len(text) - (edit.end - edit.start) for edit, text in inside if edit.start <= place.start and edit.end <= place.start
        )
        within = sum(
            len(text) - (edit.end - edit.start) for edit, text in inside if place.start <= edit.start < edit.end <= place.end
        )
        start = place.start - span.start + before
        found.append((start, start + place.end - place.start + within))
    return found


def placed(base: Span, edits: Iterable[tuple[Span, str]], places: Iterable[tuple[Span, str]]) -> tuple[Place, ...]:
    """Those places that are in the text at `base`, where they stand once it is edited, as a plan has them."""
    own = ((span, means) for span, means in places if span.source is base.source and base.start <= span.start < base.end)
    inside = sorted(own, key=lambda each: each[0].start)
    found = moved(base, edits, [span for span, _ in inside])
    return tuple(Place(*place, means) for place, (_, means) in zip(found, inside, strict=True))


def _within(span: Span, edits: Iterable[tuple[Span, str]]) -> list[tuple[Span, str]]:
    """The edits in their order; what is put in before a place comes before what replaces the place."""
    inside = {edit for edit in edits if span.start <= edit[0].start and edit[0].end <= span.end}
    return sorted(inside, key=lambda pair: (pair[0].start, pair[0].end))
