"""The options of `CREATE WAREHOUSE … USING iceberg WITH (…)`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from shared_metadata.errors import DefinitionError


class Config(BaseModel):
    """None is required. target_file_mb: how large the files get that this slice writes.

    mask_key: a reference of the secret whose key hashes what is collected into the warehouse; only collect slices read it.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    target_file_mb: int = Field(default=128, ge=1, le=1024)
    mask_key: str = Field(default="", min_length=1)

    @classmethod
    def read(cls, options: Mapping[str, Any], *, place: str) -> Config:
        """Raises DefinitionError that names the option and what is accepted."""
        try:
            return cls(**options)
        except ValidationError as error:
            first = error.errors(include_input=False, include_url=False)[0]
            name = ".".join(str(part) for part in first["loc"])
            accepted = ", ".join(cls.model_fields)
            raise DefinitionError(
                f"the option {name}: {first['msg']}", place=place, remedy=f"the options of an iceberg warehouse are: {accepted}"
            ) from None
