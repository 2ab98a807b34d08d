"""The role by which a warehouse's service reaches files, taken by a user of the account here in the place of the service's own."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from infra.embedded import EmbeddedAws
from shared_metadata import naming


@dataclass
class StorageRole:
    """name: the role's.  user_name: who asks for it, and may ask for nothing else.  external_id: under which."""

    aws: EmbeddedAws
    name: str
    user_name: str
    external_id: str
    _user: Any = field(default=None, repr=False)
    _s3: tuple[float, Any] = field(default=(0.0, None), repr=False)

    @property
    def arn(self) -> str:
        return f"arn:aws:iam::{self.aws.account}:role/{self.name}"

    def user(self) -> boto3.Session:
        """A session as the service's user."""
        if self._user is None:
            iam = self.aws.session().client("iam")
            if self.user_name not in {one["UserName"] for one in iam.list_users()["Users"]}:
                iam.create_user(UserName=self.user_name)
            may = [{"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": self.arn}]
            policy = json.dumps({"Version": "2012-10-17", "Statement": may})
            iam.put_user_policy(UserName=self.user_name, PolicyName="roles", PolicyDocument=policy)
            key = iam.create_access_key(UserName=self.user_name)["AccessKey"]
            self._user = boto3.Session(key["AccessKeyId"], key["SecretAccessKey"], region_name=self.aws.region)
        return self._user

    def client(self, session: boto3.Session, service: str) -> Any:
        return session.client(service, endpoint_url=self.aws.endpoint, verify=str(self.aws.ca_bundle))  # type: ignore[call-overload]

    def s3(self) -> Any:
        """S3 by the role. Raises ClientError."""
        until, found = self._s3
        if time.monotonic() > until:
            found = self.client(self._taken(self.user()), "s3")
            self._s3 = time.monotonic() + 600, found
        return found

    def _taken(self, by: boto3.Session) -> boto3.Session:
        asked = {"RoleArn": self.arn, "RoleSessionName": self.user_name, "ExternalId": self.external_id}
        keys = self.client(by, "sts").assume_role(**asked)["Credentials"]
        return boto3.Session(keys["AccessKeyId"], keys["SecretAccessKey"], keys["SessionToken"], region_name=self.aws.region)

    def reaches_what_is_staged_alone(self, stranger: StorageRole) -> None:
        """Asserts that the role reads what is staged and nothing else, and that who asks for it by another ID gets nothing.

        What refuses it is its policy, and its trust: the user may nothing by itself. That the role may take itself, as Unity Catalog
        wants it, is not seen here: the embedded AWS knows no aws:PrincipalArn.
        """
        bucket, s3, own = naming.data_bucket(self.aws.account, self.aws.region), self.s3(), self.aws.session().client("s3")
        own.put_object(Bucket=bucket, Key="warehouse/of-another/x", Body=b"x")
        staged = [one["Key"] for one in own.list_objects_v2(Bucket=bucket, Prefix="staging/")["Contents"]]
        readable = [key for key in staged if key.startswith("staging/collect.postgres/") and key.endswith(".parquet")]
        assert readable and s3.get_object(Bucket=bucket, Key=readable[0])["Body"].read()
        for call in (
            lambda: s3.get_object(Bucket=bucket, Key="warehouse/of-another/x"),
            lambda: s3.put_object(Bucket=bucket, Key="staging/collect.postgres/x", Body=b""),
            lambda: s3.delete_object(Bucket=bucket, Key=readable[0]),
            lambda: self.client(self.user(), "s3").get_object(Bucket=bucket, Key=readable[0]),
            stranger.s3,
        ):
            with pytest.raises(ClientError, match="AccessDenied"):
                call()
