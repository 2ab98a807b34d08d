"""Reads a connection's options: a slice reads its own, and the other slices of the system theirs."""

from __future__ import annotations

from typing import TypeVar

from pydantic import BaseModel, ValidationError

from shared_metadata.errors import DefinitionError
from shared_metadata.program import Connection

Model = TypeVar("Model", bound=BaseModel)


def read_options(model: type[Model], connection: Connection) -> Model:
    """Those that the model has; that no slice has others is what the compiler sees to.

    Raises DefinitionError that names each wrong option, never its value, and what is accepted.
    """
    names = [field.alias or name for name, field in model.model_fields.items()]
    try:
        return model.model_validate({name: value for name, value in connection.options.items() if name in names})
    except ValidationError as error:
        found = error.errors(include_input=False, include_url=False)
        wrong = "; ".join(f"{'.'.join(map(str, one['loc'])) or '?'}: {one['msg']}" for one in found)
        required = ", ".join(field.alias or name for name, field in model.model_fields.items() if field.is_required())
        raise DefinitionError(
            f"the options of connection {connection.name} are wrong: {wrong}",
            place=str(connection.position),
            remedy=f"accepted are {', '.join(names)} (required: {required or 'none'}); see the slice's README",
        ) from None
