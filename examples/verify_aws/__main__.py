"""`make verify-aws`: deploys Atoll into the account of your credentials, runs a program there, compares, and takes all away.

Some forty minutes and under a dollar, most of it for the endpoints and the database of a VPC that is made for it. Nothing is changed
in an account where Atoll is. What was made is taken away also when a step fails, unless `--keep` says otherwise.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
from botocore.exceptions import ClientError

from console.change import activate
from console.project import compile_project
from console.target import Target
from examples.verify_aws.database import CHANGE, ROWS, SOURCE, TABLES, TARGET, AuroraDatabase, Database, GivenDatabase
from infra.settings import Settings
from shared_metadata import naming
from shared_metadata.intervals import floor
from shared_metadata.program import Program
from slices.registry import installed

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = ROOT / "examples" / "verify_aws" / "program.sql"
LOG, OUTPUT = ROOT / ".atoll" / "verify-aws.log", ROOT / ".atoll" / "verify-aws.cdk.out"
SECRET, DATABASE = naming.secret("verify"), naming.glue_database("lake", "shop")
WAIT_SECONDS, POLL_SECONDS, EMPTYING_TRIES = 1200, 5, 3


class Failed(Exception):
    """A step did not do what it should."""


class Verification:
    """The steps; what is to be taken away again is noted as it is made."""

    def __init__(self, target: Target, database: Database, options: Sequence[str], undo: ExitStack) -> None:
        self._target, self._database, self._options, self._undo = target, database, options, undo
        self._program = compile_project([str(PROGRAM)])

    @property
    def program(self) -> Program:
        return self._program.program

    def run(self) -> None:
        with step("nothing of Atoll's is in this account and region"):
            self._is_new()
        with step("cdk bootstrap, unless it was done"):
            self._cdk("bootstrap", f"aws://{self._target.account}/{self._target.region}", folder=LOG.parent)
        with step("cdk deploy --all"):
            self._undo.callback(self._destroy)
            self._cdk("deploy", "--all", "--require-approval", "never", *self._options)
        with step("a database with two tables and a thousand rows"):
            self._undo.callback(self._database.remove)
            self._fill()
        with step("atoll apply"):
            activate(self._target, self.program, self._program.lineage)
        self._compare("the first batches are collected, made and published, as SQL on the source says")
        self._database.execute(CHANGE)
        self._compare("what changed at the source is published")

    def _is_new(self) -> None:
        with contextlib.suppress(ClientError):
            self._target.client("dynamodb").describe_table(TableName=naming.METADATA_TABLE)
            raise Failed(f"the table {naming.METADATA_TABLE} is there: choose another account or region")

    def _fill(self) -> None:
        client = self._target.client("secretsmanager")
        if isinstance(self._database, AuroraDatabase):
            self._database.make()
        body = json.dumps(dict(self._database.secret()))
        client.create_secret(Name=SECRET, KmsKeyId=naming.KEY_ALIAS, SecretString=body)
        self._undo.callback(client.delete_secret, SecretId=SECRET, ForceDeleteWithoutRecovery=True)
        for statement in (*TABLES, ROWS):
            self._database.execute(statement)

    def _compare(self, what: str) -> None:
        moment = floor(datetime.now(UTC), 60) + timedelta(seconds=60)
        with step(what):
            until(lambda: not self._behind(moment), lambda: "; ".join(self._behind(moment)))
            wanted, found = self._database.rows(SOURCE), self._database.rows(TARGET)
            if not wanted or wanted != found:
                raise Failed(f"published are {len(found)} rows, and {sum(a not in found for a in wanted)} of {len(wanted)} differ")

    def _behind(self, moment: datetime) -> list[str]:
        states = self._target.reader.flow_states(list(self.program.flows))
        tables = {name: table for state in states.values() for name, table in state.tables.items()}
        missing = {dataset for flow in self.program.flows.values() for dataset in (t.dataset for t in flow.tables)} - set(tables)
        return sorted(missing) + [f"{name}: {table.error or 'waits'}" for name, table in tables.items() if table.watermark < moment]

    # -- taking away

    def _destroy(self) -> None:
        """First what writes, then what was written, then the rest."""
        slices = [installed()[slice_id].stack_name for slice_id in self.program.slice_ids]
        with step("cdk destroy --all"):
            self._cdk("destroy", naming.CONDUCTOR_STACK, *slices, "--force", *self._options)
            with contextlib.suppress(ClientError):
                self._target.client("glue").delete_database(Name=DATABASE)
            for attempt in range(EMPTYING_TRIES):  # S3 delivers access logs some time later
                self._empty()
                with contextlib.suppress(Failed) if attempt < EMPTYING_TRIES - 1 else contextlib.nullcontext():
                    self._cdk("destroy", "--all", "--force", *self._options)
                    break
        with step("nothing of Atoll's is left"):
            self._is_new()
            self._is_gone([naming.METADATA_STACK, naming.CONDUCTOR_STACK, *slices])

    def _empty(self) -> None:
        where = (self._target.account, self._target.region)
        for bucket in (naming.data_bucket(*where), naming.access_log_bucket(*where)):
            with contextlib.suppress(ClientError):
                self._target.session.resource("s3").Bucket(bucket).object_versions.delete()

    def _is_gone(self, ids: Sequence[str]) -> None:
        names = set(map(Settings().stack_name, ids))
        pages = self._target.client("cloudformation").get_paginator("describe_stacks").paginate()
        left = names & {stack["StackName"] for page in pages for stack in page["Stacks"]}
        buckets = {bucket["Name"] for bucket in self._target.client("s3").list_buckets()["Buckets"]}
        left |= buckets & {naming.data_bucket(self._target.account, self._target.region)}
        if left:
            raise Failed(f"still there: {', '.join(sorted(left))}")

    def _cdk(self, *arguments: str, folder: Path = ROOT) -> None:
        LOG.parent.mkdir(exist_ok=True)
        command = [
            str(ROOT / "node_modules" / ".bin" / "cdk"),
            *arguments,
            "--ci",
            "--no-color",
            "--no-notices",
            "--output",
            str(OUTPUT),
        ]
        with LOG.open("ab") as log:
            done = subprocess.run(command, cwd=folder, env=dict(os.environ), stdout=log, stderr=log, check=False)
        if done.returncode:
            raise Failed(f"`cdk {arguments[0]}` ended with code {done.returncode}: see {LOG.relative_to(ROOT)}")


def until(holds: Callable[[], bool], waits_for: Callable[[], str]) -> None:
    deadline = time.monotonic() + WAIT_SECONDS
    while not holds():
        if time.monotonic() > deadline:
            raise Failed(f"after {WAIT_SECONDS // 60} minutes not complete: {waits_for()}")
        time.sleep(POLL_SECONDS)


@contextmanager
def step(title: str) -> Iterator[None]:
    began = time.monotonic()
    try:
        yield
    except Exception as error:
        print(f"✗ {title}: {error}", flush=True)
        raise
    print(f"✓ {title} ({time.monotonic() - began:.0f} s)", flush=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """0 when each step did what it should, taking away included."""
    parser = argparse.ArgumentParser(prog="make verify-aws", description=__doc__)
    parser.add_argument("--database-url", help="postgresql://… that the functions reach, instead of a VPC and a database in it")
    parser.add_argument("--yes", action="store_true", help="do not ask")
    parser.add_argument("--keep", action="store_true", help="leave everything as it is at the end")
    given = parser.parse_args(arguments)
    target = Target("", boto3.Session(region_name=os.environ.get("AWS_REGION")))
    print(f"account {target.account}, region {target.region}; under a dollar, some forty minutes")
    if not given.yes and input("deploy there, and take all away again? [y/N] ").strip().lower() != "y":
        return 1
    database: Any = GivenDatabase(given.database_url) if given.database_url else AuroraDatabase(target.session)
    options = ["-c", f"program={PROGRAM}", "-c", "keepData=false", *([] if given.database_url else ["-c", "vpc=true"])]
    try:
        with ExitStack() as undo:
            try:
                Verification(target, database, options, undo).run()
            finally:
                if given.keep:
                    undo.pop_all()
    except Exception as error:
        print(f"failed: {error}" if isinstance(error, Failed) else f"failed: {type(error).__name__}: {error}")
        return 1
    print("Atoll was deployed, ran, and is gone")
    return 0


if __name__ == "__main__":
    sys.exit(main())
