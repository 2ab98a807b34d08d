"""The prerequisites of a program: its slices deployed, its secrets stored."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from console.again import again
from console.deploy_hint import deploy_command
from console.target import Target
from console.wording import names_of
from shared_metadata import naming
from shared_metadata.contract.made_for import not_made_for
from shared_metadata.program import Connection, Program, Warehouse
from slices.registry import installed

NAMES_A_REQUEST = 10  # https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_GetParameters.html


def deployed_slices(target: Target, program: Program) -> dict[str, Mapping[str, Any]]:
    """The deployed slices of the program, with their stacks' descriptions."""
    parameters, found = target.client("ssm"), {}
    names = {naming.parameter("slices", slice_id): slice_id for slice_id in program.slice_ids}
    wanted = list(names)
    for at in range(0, len(wanted), NAMES_A_REQUEST):
        for parameter in parameters.get_parameters(Names=wanted[at : at + NAMES_A_REQUEST])["Parameters"]:
            found[names[parameter["Name"]]] = json.loads(parameter["Value"])
    return found


def missing(target: Target, program: Program, deployed: Mapping[str, Any]) -> list[str]:
    """All steps that are left before the program can run."""
    return [*missing_conductor(target, program), *missing_slices(program, deployed), *missing_secrets(target, program)]


def missing_slices(program: Program, deployed: Mapping[str, Any]) -> list[str]:
    """A step for each slice that is not deployed, or not for all of the program; the command that deploys it names its files."""
    return list(_missing_slices(program, deployed))


def _missing_slices(program: Program, deployed: Mapping[str, Any]) -> Iterator[str]:
    for slice_id in program.slice_ids:
        declaration = installed()[slice_id]
        command = again(deploy_command(declaration.stack_name, ",".join(program.sources)))
        if slice_id not in deployed:
            yield f"{slice_id} is not deployed; deploy it: {command}"
        elif lacks := not_made_for(declaration, program, deployed[slice_id]):
            yield f"{slice_id} was deployed for another program, without {names_of(lacks)}; deploy it again: {command}"


def missing_conductor(target: Target, program: Program) -> list[str]:
    """The step where nothing would start the program's batches."""
    asked = target.client("ssm").get_parameters(Names=[naming.CONDUCTOR_PARAMETER, naming.CONDUCTOR_SLICES])["Parameters"]
    found = {parameter["Name"]: parameter["Value"] for parameter in asked}
    command = again(deploy_command(naming.CONDUCTOR_STACK, ",".join(program.sources)))
    if naming.CONDUCTOR_PARAMETER not in found:
        return [f"the conductor, which starts batches, is not deployed; deploy it: {command}"]
    known = found.get(naming.CONDUCTOR_SLICES)  # an earlier Atoll's does not say
    lacks = [slice_id for slice_id in program.slice_ids if known is not None and slice_id not in known.split(",")]
    return [f"the conductor was deployed for another program, without {names_of(lacks)}; deploy it again: {command}"] if lacks else []


def missing_secrets(target: Target, program: Program) -> list[str]:
    """A step for each secret that the program names and that is missing."""
    return [f"{what}: {command}" for what, command in unready_secrets(target, program)]


def unready_secrets(target: Target, program: Program) -> Iterator[tuple[str, str]]:
    """The problem of each secret that cannot be read, and the command that fixes it. No secret's value is read."""
    from botocore.exceptions import ClientError

    secrets = target.client("secretsmanager")
    for place, name, command in _secrets(program):
        try:
            deleted = secrets.describe_secret(SecretId=name).get("DeletedDate")
        except ClientError as error:
            if error.response["Error"]["Code"] != "ResourceNotFoundException":
                raise
            yield f"{place} does not exist; store it", command
            continue
        if deleted:
            yield f"{place} is being deleted; keep it", f"aws secretsmanager restore-secret --secret-id {name}"


def secret_names(program: Program) -> set[str]:
    """The secrets as the program names them: of its connections and warehouses, and for its hashes."""
    signing_in = {str(one.options["secret"]) for _, one in signed_in_to(program)}
    return signing_in | {flow.mask_key for flow in program.flows.values() if flow.mask_key}


def signed_in_to(program: Program) -> Iterator[tuple[str, Connection | Warehouse]]:
    """The connections and warehouses that name a secret to sign in with, each with the word for what it is."""
    for kind, ones in (("connection", program.connections), ("warehouse", program.warehouses)):
        for one in ones.values():
            if one.options.get("secret"):
                yield kind, one


def _secrets(program: Program) -> Iterator[tuple[str, str, str]]:
    """Each secret that the program names: its place, its name, and the command that stores it."""
    for kind, one in signed_in_to(program):
        reference = str(one.options["secret"])
        name = naming.secret(reference)
        place = f"{one.position}: {kind} {one.name}: the secret {name}"
        yield place, name, again(f"atoll secret {reference} {reference.rpartition('/')[2]}.json")
    hashing = {flow.mask_key: program.warehouses[flow.warehouse] for flow in program.flows.values() if flow.mask_key}
    for reference, warehouse in hashing.items():
        name = naming.secret(reference)
        place = f"{warehouse.position}: warehouse {warehouse.name}: the secret {name} of its mask key"
        key = '"{\\"key\\": \\"$(openssl rand -hex 32)\\"}"'
        yield place, name, f"echo {key} | {again(f'atoll secret {reference} -')}"
