"""The role by which a warehouse's service reaches files, taken by a user of the account here in the place of the service's own."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from typing import Any

import boto3

from infra.embedded import EmbeddedAws


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
