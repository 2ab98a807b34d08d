"""What a secret has to hold, as a model: what is missing or wrong is told by the field's name, and no value is ever shown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict

from shared_metadata.contract.accepted import refusals
from shared_metadata.errors import SecretError


class SecretFields(BaseModel):
    """The fields of a secret.  remedy: says which they are; of an error."""

    model_config = ConfigDict(extra="ignore", frozen=True, hide_input_in_errors=True)
    remedy: ClassVar[str]

    def __repr_args__(self) -> list[tuple[str | None, Any]]:
        return []

    @classmethod
    def read(cls, values: Mapping[str, Any], reference: str, place: str) -> Self:
        """Raises SecretError that names the fields that are missing or wrong.  reference: of the secret."""
        secret = f"the secret {reference!r}"
        if missing := [name for name, field in cls.model_fields.items() if field.is_required() and name not in values]:
            raise SecretError(f"{secret} lacks the fields {', '.join(missing)}", place=place, remedy=cls.remedy)
        for wrong in refusals(cls, values):
            cause = f"the field {wrong.name} of {secret} is not accepted: it takes {wrong.takes}"
            raise SecretError(cause, place=place, remedy=cls.remedy)
        return cls(**values)
