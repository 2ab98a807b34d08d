"""What statements of every kind are made of: names and options, each with its place in the text."""

from __future__ import annotations

from dataclasses import dataclass

from language.text.diagnostics import Span

OptionValue = str | int | float | bool


@dataclass(frozen=True)
class Part:
    """One part of a dotted name."""

    text: str
    quoted: bool
    span: Span

    @property
    def folded(self) -> str:
        return self.text.lower()


@dataclass(frozen=True)
class Name:
    """A dotted name, as written."""

    parts: tuple[Part, ...]

    @property
    def span(self) -> Span:
        return self.parts[0].span.to(self.parts[-1].span)

    @property
    def folded(self) -> tuple[str, ...]:
        return tuple(part.folded for part in self.parts)

    @property
    def dotted(self) -> str:
        return ".".join(part.text for part in self.parts)


@dataclass(frozen=True)
class Option:
    """`key = value` in WITH (…)."""

    key: str
    value: OptionValue
    span: Span
    value_span: Span
