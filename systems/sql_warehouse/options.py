"""Reads the options of a warehouse that keeps rows itself: told by name, with what is accepted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from shared_metadata.contract.accepted import refusals
from shared_metadata.errors import DefinitionError


def check_options(model: type[BaseModel], system: str, options: Mapping[str, Any], place: str) -> None:
    """Raises DefinitionError that names the option that is unknown, missing or refused, and what is accepted."""
    remedy = f"the options of a {system} warehouse are: {', '.join(model.model_fields)}"
    if unknown := sorted(set(options) - set(model.model_fields)):
        raise DefinitionError(f"a {system} warehouse has no option {unknown[0]}", place=place, remedy=remedy)
    for name, field in model.model_fields.items():
        if field.is_required() and name not in options:
            raise DefinitionError(f"a {system} warehouse needs the option {name}", place=place, remedy=remedy)
    for wrong in refusals(model, options):
        raise DefinitionError(f"the option {wrong.name} takes {wrong.takes}", place=place, remedy=remedy)
