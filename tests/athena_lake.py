"""A lake in the embedded AWS, made as the product makes it, and its queries by boto3 as they are."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import boto3
import pyarrow as pa
import pytest
from pyiceberg.catalog.glue import GlueCatalog
from pyiceberg.partitioning import UNPARTITIONED_PARTITION_SPEC, PartitionSpec
from pyiceberg.schema import Schema
from pyiceberg.table import Table

from doubles.athena.door import Door
from infra.embedded import EmbeddedAws

ENDED = ("SUCCEEDED", "FAILED", "CANCELLED")


class AthenaLake:
    """One database and bucket, each with a name of its own.  client: Athena as root, with one try a call."""

    def __init__(self, aws: EmbeddedAws) -> None:
        self.aws, self.name = aws, f"lake-{uuid.uuid4().hex[:8]}"
        self.database = self.name.replace("-", "_")
        session = aws.session()
        self.client, self.s3, self.glue = session.client("athena"), session.client("s3"), session.client("glue")
        self.door = Door(session, aws.endpoint, str(aws.ca_bundle))
        self.s3.create_bucket(Bucket=self.name)
        self.catalog = GlueCatalog(
            "lake",
            client=self.glue,
            **{
                "py-io-impl": "pyiceberg.io.fsspec.FsspecFileIO",
                "warehouse": f"s3://{self.name}/warehouse",
                "s3.endpoint": aws.endpoint,
                "s3.region": aws.region,
                "s3.access-key-id": aws.account,
                "s3.secret-access-key": "local",
            },
        )
        self.catalog.create_namespace(self.database)

    @property
    def results(self) -> str:
        return f"s3://{self.name}/results"

    def table(self, name: str, schema: Schema, *rows: pa.Table, spec: PartitionSpec = UNPARTITIONED_PARTITION_SPEC) -> Table:
        """rows: a snapshot for each."""
        location = f"s3://{self.name}/warehouse/{name}"
        table = self.catalog.create_table((self.database, name), schema, location, spec)
        for one in rows:
            table.append(one)
        return table

    def start(self, text: str, client: Any = None, **more: Any) -> str:
        given = {"ResultConfiguration": {"OutputLocation": self.results}, "QueryExecutionContext": {"Database": self.database}}
        return str((client or self.client).start_query_execution(QueryString=text, **{**given, **more})["QueryExecutionId"])

    def look(self, id: str, client: Any = None) -> dict[str, Any]:
        return dict((client or self.client).get_query_execution(QueryExecutionId=id)["QueryExecution"])

    def ended(self, id: str, client: Any = None) -> dict[str, Any]:
        until = time.monotonic() + 60
        while time.monotonic() < until:
            found = self.look(id, client)
            if found["Status"]["State"] in ENDED:
                return found
            time.sleep(0.02)
        raise AssertionError(f"the query does not end: {found}")

    def run(self, text: str, client: Any = None, **more: Any) -> dict[str, Any]:
        return self.ended(self.start(text, client, **more), client)

    def failure(self, text: str, client: Any = None, **more: Any) -> str:
        found = self.run(text, client, **more)
        assert found["Status"]["State"] == "FAILED", found
        return str(found["Status"]["StateChangeReason"])

    def rows(self, text: str, **more: Any) -> list[list[str | None]]:
        """Without the header."""
        found = self.run(text, **more)
        assert found["Status"]["State"] == "SUCCEEDED", found["Status"]
        pages = self.client.get_paginator("get_query_results").paginate(QueryExecutionId=found["QueryExecutionId"])
        return [[datum.get("VarCharValue") for datum in row["Data"]] for page in pages for row in page["ResultSet"]["Rows"]][1:]

    def as_role(self, grants: Sequence[Mapping[str, Any]]) -> Any:
        """Athena by a role that has these grants alone."""
        role, iam = f"role-{uuid.uuid4().hex[:8]}", self.aws.session().client("iam")
        trust = _policy([{"Principal": {"AWS": self.aws.account}, "Action": "sts:AssumeRole"}])
        arn = iam.create_role(RoleName=role, AssumeRolePolicyDocument=trust)["Role"]["Arn"]
        iam.put_role_policy(RoleName=role, PolicyName="granted", PolicyDocument=_policy(grants))
        issued = self.aws.session().client("sts").assume_role(RoleArn=arn, RoleSessionName="test")["Credentials"]
        session = boto3.Session(issued["AccessKeyId"], issued["SecretAccessKey"], issued["SessionToken"], region_name=self.aws.region)
        return session.client("athena", endpoint_url=self.aws.endpoint, verify=str(self.aws.ca_bundle))

    def grants(self, workgroup: str = "primary") -> dict[str, dict[str, Any]]:
        """What a query over the lake needs, by what it is for."""
        where = f"{self.aws.region}:{self.aws.account}"
        athena = ["StartQueryExecution", "GetQueryExecution", "GetQueryResults", "StopQueryExecution", "GetQueryRuntimeStatistics"]
        glue = [f"arn:aws:glue:{where}:{kind}" for kind in ("catalog", f"database/{self.database}", f"table/{self.database}/*")]
        bucket = f"arn:aws:s3:::{self.name}"
        return {
            "athena": {
                "Action": [f"athena:{name}" for name in athena],
                "Resource": f"arn:aws:athena:{where}:workgroup/{workgroup}",
            },
            "catalog": {"Action": ["glue:GetDatabase", "glue:GetTable"], "Resource": glue},
            "commit": {"Action": "glue:UpdateTable", "Resource": glue},
            "data": {"Action": "s3:GetObject", "Resource": f"{bucket}/warehouse/*"},
            "write": {"Action": "s3:PutObject", "Resource": f"{bucket}/warehouse/*"},
            "bucket": {"Action": ["s3:GetBucketLocation", "s3:ListBucket"], "Resource": bucket},
            "results": {"Action": ["s3:GetObject", "s3:PutObject"], "Resource": f"{bucket}/results/*"},
        }


def _policy(statements: Sequence[Mapping[str, Any]]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", **one} for one in statements]})


@contextmanager
def athena_lake(aws: EmbeddedAws) -> Iterator[AthenaLake]:
    """The file system of this process finds the embedded AWS by its environment."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_CA_BUNDLE", str(aws.ca_bundle))
        patch.setenv("AWS_ENDPOINT_URL", aws.endpoint)
        found = AthenaLake(aws)
        yield found
        found.door.clear()
