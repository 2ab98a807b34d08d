"""An account of Snowflake's beside an embedded AWS: its double over HTTPS, which reaches S3 by the role of its integration alone."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from typing import Any

import boto3
from botocore.exceptions import ClientError

from doubles.snowflake.errors import StatementFailed
from doubles.snowflake.session import Database
from infra.embedded import EmbeddedAws
from shared_metadata import naming
from slices.organize.snowflake import named
from tests.memory.snowflake import DATABASE, OPTIONS, STAGE, WAREHOUSE, Served, snowflake

USER = "snowflake"  # of the account here, in the place of one of Snowflake's own


def options(aws: EmbeddedAws) -> dict[str, str]:
    """A warehouse's, as DESC INTEGRATION would tell them."""
    return {**OPTIONS, "storage_user_arn": f"arn:aws:iam::{aws.account}:user/{USER}"}


def written(aws: EmbeddedAws) -> str:
    """The same as WITH has them."""
    return ", ".join(f"{name} = '{value}'" for name, value in options(aws).items())


@dataclass
class Integration:
    """The storage integration of a warehouse's stage: who asks for its role, and under which external id."""

    aws: EmbeddedAws
    warehouse: str
    external_id: str = OPTIONS["storage_external_id"]
    _user: Any = field(default=None, repr=False)
    _s3: tuple[float, Any] = field(default=(0.0, None), repr=False)

    @property
    def role(self) -> str:
        return f"arn:aws:iam::{self.aws.account}:role/{named.role(self.warehouse)}-{self.aws.region}"

    def user(self) -> Any:
        """A session as the integration's user, who may ask for that role and nothing else."""
        if self._user is None:
            iam = self.aws.session().client("iam")
            if USER not in {one["UserName"] for one in iam.list_users()["Users"]}:
                iam.create_user(UserName=USER)
            may = [{"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": self.role}]
            iam.put_user_policy(
                UserName=USER, PolicyName="roles", PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": may})
            )
            key = iam.create_access_key(UserName=USER)["AccessKey"]
            self._user = boto3.Session(key["AccessKeyId"], key["SecretAccessKey"], region_name=self.aws.region)
        return self._user

    def client(self, session: boto3.Session, service: str) -> Any:
        return session.client(service, endpoint_url=self.aws.endpoint, verify=str(self.aws.ca_bundle))  # type: ignore[call-overload]

    def s3(self) -> Any:
        """S3 by the role. Raises ClientError."""
        until, found = self._s3
        if time.monotonic() > until:
            asked = {"RoleArn": self.role, "RoleSessionName": USER, "ExternalId": self.external_id}
            keys = self.client(self.user(), "sts").assume_role(**asked)["Credentials"]
            session = boto3.Session(keys["AccessKeyId"], keys["SecretAccessKey"], keys["SessionToken"], region_name=self.aws.region)
            found = self.client(session, "s3")
            self._s3 = time.monotonic() + 600, found
        return found

    def stage(self) -> tuple[Any, str, str]:
        """As the double asks for a stage. Raises StatementFailed."""
        try:
            return self.s3(), naming.data_bucket(self.aws.account, self.aws.region), ""
        except ClientError as error:
            said = f"Failed to assume the role of the storage integration: {error.response['Error']['Code']}"
            raise StatementFailed("003167", "22000", said) from None


def opened(aws: EmbeddedAws, warehouse: str) -> tuple[Served, Integration]:
    """An empty account with the stage of the program's warehouse."""
    served, integration = snowflake(), Integration(aws, warehouse)
    served.api.account.databases[DATABASE] = Database()
    served.api.account.stages[STAGE] = integration.stage
    served.api.account.warehouses[WAREHOUSE] = "STARTED"
    served.api.forget()
    return served, integration


def store_secret(aws: EmbeddedAws, served: Served) -> None:
    secrets = aws.session().client("secretsmanager")
    name, text = naming.secret(OPTIONS["secret"]), json.dumps(served.secret)
    try:
        secrets.put_secret_value(SecretId=name, SecretString=text)
    except secrets.exceptions.ResourceNotFoundException:
        secrets.create_secret(Name=name, SecretString=text)
