"""What is set from outside when the stacks are made."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from infra.concurrency import Ceilings, of_functions
from infra.embedded.aws import client_environment
from infra.embedded.state import Folders
from infra.settings import OPTIONS, Settings, program_files
from language.text.diagnostics import did_you_mean
from slices.registry import installed


def test_whoever_talks_to_the_embedded_aws_leaves_out_what_its_functions_find_beside_them(tmp_path: Path) -> None:
    assert Settings.of_context({}.get, client_environment(Folders(tmp_path), 4566)).host_dependencies
    assert not Settings.of_context({}.get, {}).host_dependencies


@pytest.mark.parametrize(
    ("context", "environment", "cause"),
    [
        ({}, {"ATOLL_DEPENDENCIES": "docker"}, "ATOLL_DEPENDENCIES=docker: accepted are bundled and host"),
        ({"vpcId": "vpc-1"}, {}, "belong together"),
        ({"vpcId": "vpc-1", "subnetIds": "subnet-1", "vpc": "true"}, {}, "give one of the two"),
        ({"vpc": "yes"}, {}, "vpc=yes: accepted are true and false"),
        ({"keepData": "maybe"}, {}, "keepData=maybe"),
        ({"prefix": "9 lives"}, {}, "prefix=9 lives: accepted is a letter"),
        ({"vpcCidr": "10.0.0.0/28"}, {}, "vpcCidr"),
        ({"tags": "team"}, {}, "tags=team"),
        ({"concurrency": "many"}, {}, "concurrency=many"),
        ({"concurrencyOf": "organize.iceberg=x"}, {}, "concurrencyOf=x"),
        ({"memoryOf": "organize.iceberg=127"}, {}, "memoryOf=organize.iceberg=127: accepted are 128 to 10240 MB"),
        ({"memoryOf": "organize.iceberg=10241"}, {}, "128 to 10240 MB"),
        ({"memoryOf": "organize.iceberg=2GB"}, {}, "memoryOf=2GB: accepted is a whole number"),
        ({"memoryOf": 4096}, {}, "accepted is name=value"),
        ({"tmpOf": "organize.iceberg=511"}, {}, "tmpOf=organize.iceberg=511: accepted are 512 to 10240 MB"),
        ({"tmpOf": "organize.iceberg=10241"}, {}, "512 to 10240 MB"),
        ({"partOf": "collect.postgres=0"}, {}, "partOf=collect.postgres=0: accepted are 1 to 10240 MB"),
        ({"vpcCidr": "999.1.2.3/16"}, {}, "vpcCidr=999.1.2.3/16: accepted is a network of /16 to /19"),
        ({"vpcCidr": "10.0.5.7/16"}, {}, "this address lies in 10.0.0.0/16"),
        ({"vpcCidr": "10.0.0.0"}, {}, "vpcCidr"),
        ({"vpcCidr": "127.0.0.0/16"}, {}, "vpcCidr"),
        ({"vpcCidr": "0.0.0.0/16"}, {}, "vpcCidr"),
        ({"vpcCidr": "fd00::/16"}, {}, "vpcCidr"),
        ({"vpcId": "my-vpc", "subnetIds": "subnet-1"}, {}, "vpcId=my-vpc: accepted is the id of a VPC"),
        ({"vpcId": "vpc-1", "subnetIds": "subnet-1;subnet-2"}, {}, "subnetIds=subnet-1;subnet-2"),
        ({"keyArn": "alias/foo"}, {}, "keyArn=alias/foo: accepted is a key's ARN, no alias"),
        ({"keyArn": "arn:aws:kms:eu-central-1:111122223333:alias/foo"}, {}, "no alias"),
        ({"logDays": "0"}, {}, "logDays=0: accepted are 1, 3, 7, 14, 30, 90, 365"),
        ({"logDays": "31"}, {}, "logDays=31"),
        ({"logDays": "-1"}, {}, "logDays=-1"),
        ({"permissionsBoundary": "arn:aws:iam::1:role/x"}, {}, "permissionsBoundary"),
        ({"tags": "aws:x=1"}, {}, "tags=aws:x"),
        ({"tags": "AWS:x=1"}, {}, "tags=AWS:x"),
        ({"tags": "team=a*b"}, {}, "tags=team"),
        ({"tags": f"{'t' * 129}=1"}, {}, "128 at most"),
        ({"logDays": 0}, {}, "logDays=0: accepted are"),
        ({"vpc": 1}, {}, "vpc=1: accepted are true and false"),
    ],
)
def test_what_does_not_fit_is_named(context: Mapping[str, str], environment: Mapping[str, str], cause: str) -> None:
    with pytest.raises(ValueError, match=cause):
        Settings.of_context(context.get, environment)


@pytest.mark.parametrize("value", [["subnet-1"], [], {"a": "b"}, {}])
@pytest.mark.parametrize("name", OPTIONS)
def test_what_is_no_text_number_or_boolean_in_cdk_json_is_refused(name: str, value: object) -> None:
    with pytest.raises(ValueError, match=f"-c {name}: accepted is one text, number or boolean"):
        program_files({name: value}.get) if name == "program" else Settings.of_context({name: value}.get, {})


@pytest.mark.parametrize("name", OPTIONS)
def test_what_stands_empty_is_as_if_it_was_not_given(name: str) -> None:
    if name not in ("program", "vpc", "keepData"):
        assert Settings.of_context({name: ""}.get, {}) == Settings(**({"prefix": ""} if name == "prefix" else {}))
    assert program_files({}.get) == program_files({"program": " "}.get) == ""


def test_lists_may_have_spaces_after_their_commas() -> None:
    context = {"vpcId": "vpc-1", "subnetIds": "subnet-1, subnet-2", "tags": "a=1, b=2", "concurrencyOf": "x=1, y=2"}
    found = Settings.of_context(context.get, {})
    assert found.subnet_ids == ("subnet-1", "subnet-2") and found.tags == {"a": "1", "b": "2"}
    assert found.ceilings.slices == {"x": 1, "y": 2}


def test_a_kept_key_a_boundary_and_a_number_of_json_are_taken() -> None:
    key = "arn:aws-us-gov:kms:us-gov-west-1:111122223333:key/1234abcd-12ab"
    for boundary in ("developers", "arn:aws:iam::aws:policy/PowerUserAccess", "arn:aws-cn:iam::111122223333:policy/team/b"):
        found = Settings.of_context({"keyArn": key, "permissionsBoundary": boundary, "logDays": 14, "keepData": False}.get, {})
        assert (found.key_arn, found.permissions_boundary, found.log_days, found.keep_data) == (key, boundary, 14, False)


def test_each_option_is_read_and_no_other() -> None:
    asked: list[str] = []

    def get(name: str) -> None:
        asked.append(name)

    assert Settings.of_context(get, {}) == Settings()
    assert {*asked, "program"} == set(OPTIONS)


def test_options_become_settings() -> None:
    context = {
        "prefix": "Analytics",
        "tags": "team=data,cost-center=42",
        "keepData": "false",
        "concurrency": "100",
        "concurrencyOf": "organize.iceberg=40",
        "vpcCidr": "10.20.0.0/16",
    }
    found = Settings.of_context(context.get, {})
    assert (found.stack_name("Conductor"), found.tags, found.keep_data) == (
        "Analytics-Conductor",
        {"team": "data", "cost-center": "42"},
        False,
    )
    assert found.ceilings == Ceilings(100, {"organize.iceberg": 40}) and found.vpc_cidr == "10.20.0.0/16"
    assert Settings(prefix="").stack_name("Conductor") == "Conductor"


def test_a_size_of_a_slice_is_that_of_its_functions_that_work_with_rows_unless_one_has_its_own() -> None:
    context = {
        "memoryOf": "organize.iceberg=4096, organize.iceberg.refresh=10240",
        "tmpOf": "a.b=512",
        "partOf": "collect.postgres=1",
    }
    found = Settings.of_context(context.get, {}).sizes
    sizes = {
        (name, rows): found.memory_mb("organize.iceberg", name, 256, rows=rows)
        for name, rows in (("load", True), ("refresh", True), ("refresh", False), ("plan", False))
    }
    assert sizes == {("load", True): 4096, ("refresh", True): 10240, ("refresh", False): 10240, ("plan", False): 256}
    assert found.memory_mb("harness.postgres", "diff", 2048, rows=True) == 2048
    assert (found.tmp_mb("a.b", "c", 4096, rows=True), found.tmp_mb("a.c", "c", 4096, rows=True)) == (512, 4096)
    slices = installed()
    assert [found.part_mb(slices[name]) for name in ("collect.postgres", "collect.salesforce", "organize.iceberg")] == [1, 128, 0]


@pytest.mark.parametrize(
    ("context", "said"),
    [
        ({"memoryOf": "organise.iceberg=4096"}, "memoryOf=organise.iceberg=…: did you mean `organize.iceberg`?"),
        ({"memoryOf": "organize.iceberg.refersh=4096"}, "did you mean `organize.iceberg.refresh`?"),
        ({"tmpOf": "harness.postgres=4096"}, "the program uses collect.postgres, collect.postgres.plan"),
        ({"partOf": "organize.iceberg=64"}, "partOf=organize.iceberg=…: the program uses collect.postgres$"),
    ],
)
def test_a_size_of_what_the_program_does_not_use_is_refused_with_the_nearest_name(context: Mapping[str, str], said: str) -> None:
    used = [installed()[name] for name in ("collect.postgres", "organize.iceberg")]
    with pytest.raises(ValueError, match=said):
        Settings.of_context(context.get, {}).sizes.check(used, did_you_mean)


@pytest.mark.parametrize(
    ("ceilings", "expected"),
    [
        (Ceilings(), {}),
        (Ceilings(0, {"a": 7}), {"a": 7}),
        (Ceilings(0, {"conductor": 3}), {"conductor": 3}),
        (Ceilings(20, {"conductor": 5}), {"a": 9, "b": 5, "conductor": 5, "verify": 1}),
        (Ceilings(20), {"a": 10, "b": 6, "conductor": 3, "verify": 1}),
        (Ceilings(15), {"a": 8, "b": 3, "conductor": 3, "verify": 1}),
        (Ceilings(14), {"a": 7, "b": 3, "conductor": 3, "verify": 1}),  # one for each function
        (Ceilings(20, {"a": 8}), {"a": 8, "b": 8, "conductor": 3, "verify": 1}),
    ],
)
def test_a_ceiling_is_shared_out_and_never_passed(ceilings: Ceilings, expected: Mapping[str, int]) -> None:
    found = ceilings.of({"a": 7, "b": 3})
    assert found == expected
    assert not ceilings.installation or sum(found.values()) == ceilings.installation


def test_a_slices_functions_share_its_ceiling() -> None:
    assert of_functions(10, "a", ["plan", "load", "commit"], ["landed"]) == {"landed": 1, "plan": 3, "load": 3, "commit": 3}
    with pytest.raises(ValueError, match="need 4 at least"):
        of_functions(3, "a", ["plan", "load", "commit"], ["landed"])


@pytest.mark.parametrize(
    ("ceilings", "cause"),
    [(Ceilings(13), "need 14 at least"), (Ceilings(9, {"c": 1}), "concurrencyOf=c"), (Ceilings(9, {"a": 8}), "need 15")],
)
def test_a_ceiling_that_leaves_nothing_for_somebody_is_refused(ceilings: Ceilings, cause: str) -> None:
    with pytest.raises(ValueError, match=cause):
        ceilings.of({"a": 7, "b": 3})
