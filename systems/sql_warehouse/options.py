"""The options that each warehouse has which keeps rows itself, and how all are read: told by name, with what is accepted."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict, Field

from shared_metadata.contract.accepted import refusals
from shared_metadata.contract.maintenance import keep as keeping
from shared_metadata.errors import DefinitionError
from shared_metadata.program import Warehouse


class WarehouseOptions(BaseModel):
    """What all have.

    statement_minutes: for how long a batch's step waits for its statements, before they are cancelled.
    keep: for how long a load can be made again from what was staged, e.g. '7 days'; '' for a hundred batches, and six hours at least.
    mask_key: a reference of the secret whose key hashes what is collected into the warehouse; only collect slices read it.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    system: ClassVar[str]

    statement_minutes: int = Field(default=360, ge=1, le=1440)
    keep: str = Field(default="", pattern=keeping.PATTERN, description=keeping.LENGTH)
    mask_key: str = Field(default="", min_length=1)

    def keep_of(self, interval_seconds: int) -> timedelta:
        """How long what batches of this length have staged is kept."""
        return keeping.keep_of(self.keep, interval_seconds)

    @classmethod
    def of(cls, warehouse: Warehouse) -> Self:
        """A warehouse's. Raises DefinitionError."""
        return cls.read(warehouse.options, place=f"warehouse {warehouse.name} ({warehouse.position})")

    @classmethod
    def read(cls, options: Mapping[str, Any], *, place: str) -> Self:
        """Raises DefinitionError that names the option that is unknown, missing or refused, and what is accepted."""
        names = sorted(cls.model_fields, key=WarehouseOptions.model_fields.__contains__)  # its own come first
        remedy = f"the options of a {cls.system} warehouse are: {', '.join(names)}"
        if unknown := sorted(set(options) - set(names)):
            raise DefinitionError(f"a {cls.system} warehouse has no option {unknown[0]}", place=place, remedy=remedy)
        for name in names:
            if cls.model_fields[name].is_required() and name not in options:
                raise DefinitionError(f"a {cls.system} warehouse needs the option {name}", place=place, remedy=remedy)
        for wrong in refusals(cls, options):
            raise DefinitionError(f"the option {wrong.name} takes {wrong.takes}", place=place, remedy=remedy)
        return cls(**options)
