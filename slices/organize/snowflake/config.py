"""The options of `CREATE WAREHOUSE … USING snowflake WITH (…)`, and what its secret holds."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from shared_metadata.contract.accepted import refusals
from shared_metadata.contract.maintenance import keep as keeping
from shared_metadata.errors import SecretError
from slices.organize.snowflake.slice import SLICE
from systems.sql_warehouse.options import check_options

_NAME = r"^[A-Za-z_][A-Za-z0-9_$]{0,254}$"
_ACCOUNT = r"^[A-Za-z0-9]([A-Za-z0-9_-]*[A-Za-z0-9])?(\.[a-z0-9-]+){0,2}$"
_STAGE = r"^[A-Za-z_][A-Za-z0-9_$]*(\.[A-Za-z_][A-Za-z0-9_$]*){2}$"
_USER = r"^arn:aws[a-z-]*:iam::[0-9]{12}:(user|role)/[A-Za-z0-9_+=,.@/-]+$"
_EXTERNAL = r"^[A-Za-z0-9_+=,.@:/-]+$"
FIELDS = "the secret is a JSON object with user and private_key (PEM), and if need be host and ca_certificate"


class Config(BaseModel):
    """What Atoll works with in an account that is there.

    account: its identifier, organization and name.
    database, role, warehouse: by name; written plainly, they are folded as Snowflake folds them.
    stage: of the data bucket, over a storage integration, as 'db.schema.stage'.
    storage_user_arn, storage_external_id: of that integration, as DESC INTEGRATION tells them; the stack's role trusts them.
    secret: the reference of a secret with `user` and `private_key`.
    statement_minutes: for how long a batch's step waits for its statements, before they are cancelled.
    at_once: how many tables of it are at work at once, by a statement each.
    keep: for how long a load can be made again from what was staged, e.g. '7 days'; '' for a hundred batches, and six hours at least.
    mask_key: a reference of the secret whose key hashes what is collected into the warehouse; only collect slices read it.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    account: str = Field(pattern=_ACCOUNT, description="the account's identifier, as 'myorg-myaccount'")
    database: str = Field(pattern=_NAME, description="a name, as 'analytics'")
    role: str = Field(pattern=_NAME, description="a name, as 'atoll'")
    warehouse: str = Field(pattern=_NAME, description="a name, as 'atoll'")
    stage: str = Field(pattern=_STAGE, description="the name of a stage, as 'analytics.public.atoll'")
    storage_user_arn: str = Field(
        pattern=_USER, description="STORAGE_AWS_IAM_USER_ARN of DESC INTEGRATION, as 'arn:aws:iam::123456789012:user/a'"
    )
    storage_external_id: str = Field(pattern=_EXTERNAL, description="STORAGE_AWS_EXTERNAL_ID of DESC INTEGRATION")
    secret: str = Field(min_length=1)
    statement_minutes: int = Field(default=360, ge=1, le=1440)
    at_once: int = Field(default=SLICE.capabilities.at_once, ge=1, le=100)
    keep: str = Field(default="", pattern=keeping.PATTERN, description=keeping.LENGTH)
    mask_key: str = Field(default="", min_length=1)

    def keep_of(self, interval_seconds: int) -> timedelta:
        """How long what batches of this length have staged is kept."""
        return keeping.keep_of(self.keep, interval_seconds)

    @classmethod
    def read(cls, options: Mapping[str, Any], *, place: str) -> Config:
        """Raises DefinitionError that names the option and what is accepted."""
        check_options(cls, "snowflake", options, place)
        return cls(**options)


class Key(BaseModel):
    """The secret's fields, which are never shown.  host: where the account answers, of a private link or a proxy."""

    model_config = ConfigDict(extra="ignore", frozen=True, hide_input_in_errors=True)

    user: str = Field(pattern=_NAME)
    private_key: str = Field(min_length=1)
    host: str = ""
    ca_certificate: str = ""

    def __repr_args__(self) -> list[tuple[str | None, Any]]:
        return []

    @classmethod
    def read(cls, values: Mapping[str, Any], reference: str, place: str) -> Key:
        """Raises SecretError that names the fields that are missing or wrong; never a value."""
        if missing := [name for name, field in cls.model_fields.items() if field.is_required() and name not in values]:
            raise SecretError(f"the secret {reference!r} lacks the fields {', '.join(missing)}", place=place, remedy=FIELDS)
        for wrong in refusals(cls, values):
            cause = f"the field {wrong.name} of the secret {reference!r} is not accepted: it takes {wrong.takes}"
            raise SecretError(cause, place=place, remedy=FIELDS)
        return cls(**values)
