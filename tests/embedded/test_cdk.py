"""The pinned CDK command runs against the embedded AWS."""

import pytest

from infra.cdk_command import CdkError
from infra.embedded import EmbeddedAws, bootstrap, cdk

pytestmark = pytest.mark.xdist_group("emulator")


def test_bootstrap_runs_once_and_shows_its_progress(local_aws: EmbeddedAws) -> None:
    lines: list[str] = []
    bootstrap(local_aws, lines.append)
    assert not bootstrap(local_aws, lines.append), "the toolkit stack is there now"
    stacks = local_aws.session().client("cloudformation").describe_stacks(StackName="CDKToolkit")["Stacks"]
    assert stacks[0]["StackStatus"] == "CREATE_COMPLETE"


def test_a_cdk_command_that_fails_raises_its_last_lines(local_aws: EmbeddedAws) -> None:
    with pytest.raises(CdkError, match=r"`cdk deploy --app false` ended with code 1:\n[\s\S]*false"):
        cdk(local_aws, ["deploy", "--app", "false"], folder=local_aws.folders.home)
