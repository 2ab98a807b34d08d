"""CREATE FUNCTION as it is written: in SQL with its query, in code with its columns."""

from __future__ import annotations

from dataclasses import dataclass

from language.forms.parts import Option, Part
from language.text.diagnostics import Span


@dataclass(frozen=True)
class Parameter:
    """`name type`, a value, or `name TABLE [(column, …)]`, a table of which the function sees these columns, or all.

    type: None for a table.
    """

    name: Part
    type: Span | None = None
    columns: tuple[Part, ...] = ()


@dataclass(frozen=True)
class CreateFunction:
    """`CREATE FUNCTION name (parameter, …) RETURNS TABLE USING sql AS query`; rest: from AS on."""

    name: Part
    parameters: tuple[Parameter, ...]
    query: Span
    rest: Span
    span: Span

    @property
    def called(self) -> str:
        """A call as a message shows it."""
        return f"{self.name.text}({', '.join(parameter.name.text for parameter in self.parameters)})"


@dataclass(frozen=True)
class DeclaredColumn:
    """`name type [NOT NULL]`, of the rows that a function in code is given, or gives."""

    name: Part
    type: Span
    required: bool = False


@dataclass(frozen=True)
class CreateCoded:
    """`CREATE FUNCTION name (column type, …) RETURNS TABLE (column type, …) USING language WITH (…)`: a function in code.

    takes: the columns of the one table that it is given.  language: what it is written in.
    """

    name: Part
    takes: tuple[DeclaredColumn, ...]
    returns: tuple[DeclaredColumn, ...]
    language: Part
    options: tuple[Option, ...]
    span: Span

    @property
    def called(self) -> str:
        """A call as a message shows it."""
        return f"{self.name.text}((SELECT {', '.join(column.name.text for column in self.takes)} FROM …))"
