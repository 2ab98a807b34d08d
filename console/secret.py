"""`atoll secret`: stores the credentials of a connection or a warehouse in Secrets Manager, where its slices find them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from console.again import again
from console.deploy_hint import deploy_command
from console.given_files import json_object, json_text
from console.nearest import unknown
from console.prerequisites import secret_names, signed_in_to
from console.target import Target, json_option, open_target, profile_option
from shared_metadata import naming
from shared_metadata.contract.declaration import Slice, declared
from shared_metadata.errors import DefinitionError, InputError
from shared_metadata.program import Connection, Warehouse


@click.command(short_help="Store what a connection or warehouse signs in with.")
@click.argument("name")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, allow_dash=True, path_type=Path))
@click.option("--anyway", is_flag=True, help="Store it also where the program here names no such secret, or could not use it.")
@profile_option
@json_option
def secret(name: str, file: Path, anyway: bool, profile: str | None, as_json: bool) -> None:
    """Store the JSON object in FILE (`-`: what is piped in) as the secret that a program calls NAME, under Atoll's key.

    It is stored as `atoll/NAME`, in place of what was there. What an object has to hold stands in the README of its system's slice,
    which checks it where it can. It is never printed; delete FILE afterwards.

    \b
      atoll secret ops ops.json
      vault read -format=json -field=data ops | atoll secret ops -
    """
    where = "standard input" if str(file) == "-" else str(file)
    text = json_text(_read(file), where)
    stored = _named(name)
    values = json_object(text, where, 'write {"host": "…", …}')
    if not anyway:
        _refuse_unfit(name, values)
    made = _store(open_target(profile), stored, text)
    if as_json:
        click.echo(json.dumps({"secret": stored, "made": made}))
    else:
        click.echo(f"{'stored' if made else 'replaced'} {stored}")


def _named(name: str) -> str:
    try:
        return naming.secret(name)
    except ValueError as error:
        raise InputError(str(error), remedy="give it the name that the program has after `secret =`") from error


def _refuse_unfit(name: str, values: Mapping[str, Any]) -> None:
    """Raises InputError for a secret that the program here does not name, SecretError for one with which its slices cannot sign in.

    It checks nothing where the folder has no program that compiles.
    """
    from console.project import compile_files, slices_opening
    from language import ProgramErrors
    from shared_metadata.contract.parquet.masking import read_mask_key

    try:
        program = compile_files([])
    except (InputError, ProgramErrors):
        return
    names = sorted(secret_names(program))
    if name not in names:
        listed = f"it names {', '.join(names) or 'none'}; `--anyway` stores it all the same"
        raise unknown("the program here names no secret", name, names, listed)
    for _, owner in signed_in_to(program):
        if owner.options["secret"] == name:
            for slice_ in slices_opening(program, owner):
                _check_fields(slice_, owner, values)
    for flow in program.flows.values():
        if flow.mask_key == name:
            read_mask_key(values, repr(name), str(flow.position))


def _check_fields(slice_: Slice, owner: Connection | Warehouse, values: Mapping[str, Any]) -> None:
    if slice_.secret:
        declared(slice_.secret)(owner, values)


def _read(file: Path) -> bytes:
    try:
        with click.open_file(str(file), "rb") as opened:
            data: bytes = opened.read()
            return data
    except OSError as error:
        raise InputError(f"{file} cannot be read: {error.strerror}", remedy="see its permissions") from error


def _store(target: Target, name: str, text: str) -> bool:
    """Stores the secret; returns whether it is new. Raises DefinitionError where its key is missing, or its name is being deleted."""
    client: Any = target.client("secretsmanager")
    try:
        deleted = client.describe_secret(SecretId=name).get("DeletedDate")
    except client.exceptions.ResourceNotFoundException:
        _refuse_without_key(target)
        client.create_secret(Name=name, SecretString=text, KmsKeyId=naming.KEY_ALIAS)
        return True
    if deleted:
        remedy = f"aws secretsmanager restore-secret --secret-id {name}"
        raise DefinitionError(f"the secret {name} is being deleted", remedy=remedy)
    client.put_secret_value(SecretId=name, SecretString=text)
    return False


def _refuse_without_key(target: Target) -> None:
    keys: Any = target.client("kms")
    try:
        keys.describe_key(KeyId=naming.KEY_ALIAS)
    except keys.exceptions.NotFoundException:
        what = f"there is no key {naming.KEY_ALIAS} to encrypt it with: {naming.METADATA_STACK} is not deployed"
        raise DefinitionError(what, remedy=again(deploy_command(naming.METADATA_STACK))) from None
