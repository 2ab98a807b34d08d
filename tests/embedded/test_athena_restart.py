"""Queries of Athena outlast the embedded AWS's restart, with their results."""

from __future__ import annotations

import uuid

import pytest

from infra.embedded import EmbeddedAws, down, up
from tests.athena_lake import athena_lake

pytestmark = [pytest.mark.xdist_group("athena-restart"), pytest.mark.deep, pytest.mark.budget(60)]


def test_a_query_its_token_and_its_result_outlast_a_restart_and_what_ran_has_failed(own_aws: EmbeddedAws) -> None:
    with athena_lake(own_aws) as lake:
        token = str(uuid.uuid4())
        done = lake.ended(lake.start("SELECT 1 AS x", ClientRequestToken=token))["QueryExecutionId"]
        lake.door.fault("slow", seconds=60)
        running = lake.start("SELECT 2")
        root = own_aws.folders.root
        down(root)
        up(root)
        assert lake.start("SELECT 1 AS x", ClientRequestToken=token) == done
        rows = lake.client.get_query_results(QueryExecutionId=done)["ResultSet"]["Rows"]
        assert [row["Data"][0]["VarCharValue"] for row in rows] == ["x", "1"]
        status = lake.look(running)["Status"]
        assert (status["State"], status["AthenaError"]["Retryable"]) == ("FAILED", True)
