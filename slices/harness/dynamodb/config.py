"""The options of `CREATE CONNECTION … TO dynamodb WITH (…)`."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from shared_metadata import naming
from shared_metadata.contract.options import read_options
from shared_metadata.errors import DefinitionError
from shared_metadata.program import Connection

# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/HowItWorks.NamingRulesDataTypes.html; no wildcard of IAM's is in it
_NAME = r"[A-Za-z0-9_.-]{1,255}"
# https://docs.aws.amazon.com/IAM/latest/APIReference/API_Role.html, without its wildcards
_ROLE = r"^(arn:aws[a-z-]*:iam::[0-9]{12}:role/[A-Za-z0-9+=,.@_/-]{1,512})?$"


class Config(BaseModel):
    """tables: those that may be published to, as the program names them.  prefix: before each of their names in the account.

    region: where they are; '' for the one in which Atoll is.
    role: by which the functions write, where the tables are another account's; external_id: what its trust policy asks for.
    others: what becomes of an item under a row's key that this publication has not written.
    writes_at_once: how many items are written beside one another.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    tables: str = Field(pattern=rf"^\s*{_NAME}(\s*,\s*{_NAME})*\s*$", description="names of tables, with commas between")
    prefix: str = Field("", pattern=r"^[A-Za-z0-9_.-]{0,200}$", description="letters, digits, _, - and .")
    region: str = Field("", pattern=r"^([a-z]{2,4}(-[a-z]+)+-\d)?$", description="a region, such as 'eu-central-1'")
    role: str = Field("", pattern=_ROLE, description="the ARN of a role, arn:aws:iam::<account>:role/<name>")
    external_id: str = Field(
        "", max_length=1224, pattern=r"^[A-Za-z0-9_+=,.@:/-]*$", description="letters, digits and _ + = , . @ : / -"
    )
    others: Literal["refuse", "overwrite"] = "refuse"
    writes_at_once: int = Field(default=10, ge=1, le=64)

    @property
    def names(self) -> dict[str, str]:
        """Each table as a program names it ▸ as the account does."""
        return {name.strip(): f"{self.prefix}{name.strip()}" for name in self.tables.split(",")}


def read_config(connection: Connection) -> Config:
    """Raises DefinitionError, also for the table in which Atoll keeps what it knows."""
    config = read_options(Config, connection)
    if naming.METADATA_TABLE in config.names.values():
        remedy = "publish to a table of another name"
        raise DefinitionError(f"{naming.METADATA_TABLE} is Atoll's own table", place=str(connection.position), remedy=remedy)
    return config
