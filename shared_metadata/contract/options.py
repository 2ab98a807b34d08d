"""Reads a connection's options: a slice reads its own, and the other slices of the system theirs."""

from __future__ import annotations

from typing import TypeVar

from pydantic import BaseModel

from shared_metadata.contract.accepted import names_of, refusals
from shared_metadata.errors import DefinitionError
from shared_metadata.program import Connection

Model = TypeVar("Model", bound=BaseModel)


def read_options(model: type[Model], connection: Connection) -> Model:
    """Those that the model has; that no slice has others is what the compiler sees to.

    Raises DefinitionError that names each wrong option, never its value, and what is accepted.
    """
    fields = names_of(model)
    wrong = [
        f"`{one.name}` is missing" if one.missing else f"`{one.name}` takes {one.takes}"
        for one in refusals(model, connection.options)
    ]
    if wrong:
        required = ", ".join(name for name, field in fields.items() if field.is_required())
        raise DefinitionError(
            f"the options of connection {connection.name} are wrong: {'; '.join(wrong)}",
            place=str(connection.position),
            remedy=f"accepted are {', '.join(fields)} (required: {required or 'none'}); see the slice's README",
        )
    return model.model_validate({name: value for name, value in connection.options.items() if name in fields})
