"""The wheel brings all that a project needs, and nothing of the tests; a project is at work wherever it is installed."""

from __future__ import annotations

import json
import shutil
import subprocess
import zipfile
from pathlib import Path

import pytest

from tests.architecture.test_own_slices import project
from tests.installed.conftest import ROOT, Installed

pytestmark = [pytest.mark.deep, pytest.mark.budget(300), pytest.mark.xdist_group("installed")]
PACKAGES = ("console", "conductor", "infra", "language", "shared_metadata", "slices", "systems", "doubles/ecs")
own_project = project


def test_it_holds_the_product_and_no_tests(installed: Installed) -> None:
    names = {name for name in zipfile.ZipFile(installed.wheel).namelist() if ".dist-info/" not in name}
    tracked = subprocess.run(["git", "ls-files", *PACKAGES], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    texts = "console/new_project/"
    assert names == {n for n in tracked if n.startswith(texts) or not ("/tests/" in n or n.endswith(".md"))}


TASK = """
import json, sys, time
from pathlib import Path
from infra.embedded import up
aws = up(Path(sys.argv[1]))
iam, ecs = aws.session().client("iam"), aws.session().client("ecs")
trust = {"Effect": "Allow", "Principal": {"Service": "ecs-tasks.amazonaws.com"}, "Action": "sts:AssumeRole"}
document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
role = iam.create_role(RoleName="task", AssumeRolePolicyDocument=document)["Role"]["Arn"]
ecs.create_cluster(clusterName="here")
container = {"name": "one", "image": "python", "command": ["python3", "-c", "raise SystemExit(7)"]}
ecs.register_task_definition(family="one", taskRoleArn=role, cpu="256", memory="512", containerDefinitions=[container])
(task,) = ecs.run_task(cluster="here", taskDefinition="one")["tasks"]
until = time.monotonic() + 60
while task["lastStatus"] != "STOPPED" and time.monotonic() < until:
    time.sleep(0.2)
    (task,) = ecs.describe_tasks(cluster="here", tasks=[task["taskArn"]])["tasks"]
print(task["lastStatus"], task["containers"][0].get("exitCode"))
"""


def test_a_task_of_its_embedded_aws_is_a_process(installed: Installed, folder: Path) -> None:
    command = [str(installed.environment / "bin" / "python"), "-c", TASK, str(folder / "project")]
    done = subprocess.run(command, cwd=folder, env=installed.variables(), capture_output=True, text=True, check=False)
    assert done.stdout.splitlines()[-1:] == ["STOPPED 7"], done.stderr


@pytest.mark.parametrize("name", ["requirements.lock", "package.json", "package-lock.json"])
def test_what_is_pinned_is_as_in_the_clone(installed: Installed, name: str) -> None:
    assert (installed.packages / "infra" / "pinned" / name).read_text() == (ROOT / name).read_text()


def test_a_project_has_the_pinned_cdk_and_its_own_slices(installed: Installed, own_project: Path) -> None:
    """`npx cdk` as a user calls it, after `atoll` has installed it."""
    variables = installed.variables()
    for command in (["atoll", "init"], ["atoll", "check"]):
        done = subprocess.run(command, cwd=own_project, env=variables, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    fetch = "from pathlib import Path; from infra.cdk_command import command; command(Path().resolve(), print)"
    python = str(installed.environment / "bin" / "python")
    said = subprocess.run([python, "-c", fetch], cwd=own_project, env=variables, capture_output=True, text=True, check=True).stdout
    pinned = json.loads((ROOT / "package-lock.json").read_text())["packages"]["node_modules/aws-cdk"]["version"]
    assert f"installing the CDK {pinned} into .atoll/cdk/" in said
    brought = {found.name for found in (own_project / ".atoll/cdk/node_modules").iterdir() if found.name[0] != "."}
    assert brought == {"aws-cdk"}, "and none of the tests' tools"
    version = subprocess.run(
        ["npx", "--no-install", "cdk", "--version"], cwd=own_project, env=variables, capture_output=True, text=True, check=False
    )
    assert version.stdout.startswith(pinned), version.stderr
    listed = subprocess.run(
        ["npx", "--no-install", "cdk", "list"], cwd=own_project, env=variables, capture_output=True, text=True, check=False
    )
    assert listed.returncode == 0, listed.stderr
    stacks = {line.split(" ")[0] for line in listed.stdout.splitlines()}
    assert stacks == {"SharedMetadata", "Conductor", "CollectWebsocketSlice", "OrganizeIcebergSlice"}
    again = subprocess.run([python, "-c", fetch], cwd=own_project, env=variables, capture_output=True, text=True, check=True)
    assert again.stdout == "", "what is installed is not installed again"
    shutil.rmtree(own_project / ".atoll")
