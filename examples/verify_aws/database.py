"""The database that the program is tried with: one that is made for it beside Atoll's VPC, or one that is given."""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any, Protocol, Self

import psycopg

from infra.network_parameters import SECURITY_GROUP, VPC_ID, ZONES, subnet_parameter
from shared_metadata import naming

STACK, NAME, USER, PORT = "Atoll-VerifyDatabase", "shop", "verify", 5432
MOST_CAPACITY = 1  # of Aurora's units, of which half is the least: 0.06 $ an hour


@dataclass(frozen=True)
class Shop:
    """What is put into a database, in a schema of its own: nothing else there is touched."""

    schema: str

    system = "postgres"

    @classmethod
    def of_this_run(cls) -> Self:
        return cls(f"atoll_verify_{secrets.token_hex(8)}")

    @property
    def make(self) -> str:
        """One statement, so that all of it is there or nothing."""
        return (
            f"CREATE SCHEMA {self.schema}"
            " CREATE TABLE orders (id bigint PRIMARY KEY, customer text NOT NULL, amount numeric(12, 2) NOT NULL,"
            " updated_at timestamptz NOT NULL DEFAULT now())"
            " CREATE TABLE customer_totals (customer text PRIMARY KEY, orders bigint, amount numeric(14, 2))"
        )

    @property
    def rows(self) -> str:
        numbers = "SELECT n, 'customer ' || n % 7, n * 1.25 FROM generate_series(1, 1000) n"
        return f"INSERT INTO {self.schema}.orders (id, customer, amount) {numbers}"

    @property
    def change(self) -> str:
        return f"UPDATE {self.schema}.orders SET amount = amount + 1, updated_at = clock_timestamp() WHERE id % 3 = 0"

    @property
    def source(self) -> str:
        totals = "customer, count(*) AS orders, sum(amount)::numeric(14, 2) AS amount"
        return f"SELECT {totals} FROM {self.schema}.orders GROUP BY 1"

    @property
    def target(self) -> str:
        return f"SELECT customer, orders, amount FROM {self.schema}.customer_totals"

    @property
    def drop(self) -> str:
        return f"DROP SCHEMA IF EXISTS {self.schema} CASCADE"

    def program(self, text: str) -> str:
        """The program with this schema in place of `public`."""
        return text.replace("shop.public.", f"shop.{self.schema}.")


class Database(Protocol):
    """Where the program reads and publishes."""

    shop: Shop

    def make(self, undo: ExitStack) -> None:
        """Makes it where there is none; what takes it away again goes onto `undo` once it is there."""

    def secret(self) -> Mapping[str, Any]:
        """What the connection finds in Secrets Manager."""

    def execute(self, sql: str) -> None:
        """Executes what the shop says, which is one statement, or several where the system has none for it."""

    def rows(self, query: str) -> Any:
        """The query's rows, as JSON has them, in order."""


class GivenDatabase:
    """One that is there, and stays."""

    def __init__(self, url: str) -> None:
        self._url, self.shop = url, Shop.of_this_run()

    def make(self, undo: ExitStack) -> None: ...

    def secret(self) -> Mapping[str, Any]:
        parts = psycopg.conninfo.conninfo_to_dict(self._url)
        found = {"host": parts["host"], "port": int(parts.get("port") or PORT), "dbname": parts["dbname"]}
        sslmode = {"sslmode": parts["sslmode"]} if "sslmode" in parts else {}
        return {**found, "username": parts["user"], "password": parts["password"], **sslmode}

    def execute(self, sql: str) -> None:
        with psycopg.connect(self._url) as connection:
            connection.execute(sql)  # type: ignore[arg-type]

    def rows(self, query: str) -> Any:
        with psycopg.connect(self._url) as connection:
            found = connection.execute(_as_json(query)).fetchone()  # type: ignore[arg-type]
        assert found
        return json.loads(found[0])


class AuroraDatabase:
    """A cluster in the subnets of Atoll's VPC, which only its functions reach; this machine asks it by way of the Data API."""

    def __init__(self, session: Any) -> None:
        self._session, self._password, self.shop = session, secrets.token_urlsafe(24), Shop.of_this_run()
        self._cluster: dict[str, Any] = {}

    def make(self, undo: ExitStack) -> None:
        """Takes some ten minutes. A stack of this name that is there is somebody's: CloudFormation refuses to make it again."""
        formation = self._session.client("cloudformation")
        password = [{"ParameterKey": "Password", "ParameterValue": self._password}]
        formation.create_stack(StackName=STACK, TemplateBody=json.dumps(_template()), Parameters=password, OnFailure="DELETE")
        undo.callback(self._remove)
        formation.get_waiter("stack_create_complete").wait(StackName=STACK)
        found = self._session.client("rds").describe_db_clusters(DBClusterIdentifier=STACK.lower())
        self._cluster = found["DBClusters"][0]

    def secret(self) -> Mapping[str, Any]:
        return {"host": self._cluster["Endpoint"], "port": PORT, "dbname": NAME, "username": USER, "password": self._password}

    def execute(self, sql: str) -> None:
        self._ask(sql)

    def rows(self, query: str) -> Any:
        return json.loads(self._ask(_as_json(query))["records"][0][0]["stringValue"])

    def _remove(self) -> None:
        formation = self._session.client("cloudformation")
        formation.delete_stack(StackName=STACK)
        formation.get_waiter("stack_delete_complete").wait(StackName=STACK)

    def _ask(self, sql: str) -> Any:
        found = self._session.client("secretsmanager").describe_secret(SecretId=naming.secret("verify"))
        where = {"resourceArn": self._cluster["DBClusterArn"], "secretArn": found["ARN"], "database": NAME}
        return self._session.client("rds-data").execute_statement(sql=sql, **where)


def _template() -> dict[str, Any]:
    subnets = [{"Ref": f"Subnet{number}"} for number in range(ZONES)]
    ingress = {"IpProtocol": "tcp", "FromPort": PORT, "ToPort": PORT, "SourceSecurityGroupId": {"Ref": "Functions"}}
    group = {"GroupDescription": "From the functions", "VpcId": {"Ref": "Vpc"}, "SecurityGroupIngress": [ingress]}
    cluster = {
        "DBClusterIdentifier": STACK.lower(),
        "Engine": "aurora-postgresql",
        "DatabaseName": NAME,
        "MasterUsername": USER,
        "MasterUserPassword": {"Ref": "Password"},
        "EnableHttpEndpoint": True,
        "StorageEncrypted": True,
        "ServerlessV2ScalingConfiguration": {"MinCapacity": 0.5, "MaxCapacity": MOST_CAPACITY},
        "DBSubnetGroupName": {"Ref": "Subnets"},
        "VpcSecurityGroupIds": [{"Ref": "Group"}],
    }
    instance = {"DBClusterIdentifier": {"Ref": "Cluster"}, "DBInstanceClass": "db.serverless", "Engine": "aurora-postgresql"}
    subnet_group = {"DBSubnetGroupDescription": "Atoll verify", "SubnetIds": subnets}
    return {
        "Parameters": {
            "Password": {"Type": "String", "NoEcho": True},
            "Vpc": _of_parameter(VPC_ID),
            "Functions": _of_parameter(SECURITY_GROUP),
            **{f"Subnet{number}": _of_parameter(subnet_parameter(number)) for number in range(ZONES)},
        },
        "Resources": {
            "Group": {"Type": "AWS::EC2::SecurityGroup", "Properties": group},
            "Subnets": {"Type": "AWS::RDS::DBSubnetGroup", "Properties": subnet_group},
            "Cluster": {"Type": "AWS::RDS::DBCluster", "Properties": cluster, "DeletionPolicy": "Delete"},
            "Instance": {"Type": "AWS::RDS::DBInstance", "Properties": instance},
        },
    }


def _of_parameter(name: str) -> dict[str, str]:
    return {"Type": "AWS::SSM::Parameter::Value<String>", "Default": name}


def _as_json(query: str) -> str:
    return f"SELECT coalesce(json_agg(t ORDER BY t.customer), '[]')::text FROM ({query}) t"
