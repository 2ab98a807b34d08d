"""Values that an option does not take: whatever is wrong with them is told in words of ours, at the option, with what it takes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Literal, get_args, get_origin

import pytest
from pydantic.fields import FieldInfo

from console.cache import ProjectCache
from console.project import compile_texts, config_model
from language import ProgramErrors
from shared_metadata.contract.accepted import names_of, refusals
from shared_metadata.contract.declaration import Slice
from slices.registry import installed
from systems.mysql.address import Address as MysqlAddress
from systems.postgres.address import Address as PostgresAddress

# Of a wrong type, negative, none, huge, empty, of a wrong unit.
WRITTEN = ["''", "' '", "'abc'", "-1", "0", "1000000000000", "1.5", "TRUE", "FALSE", "'-1'", "'5 parsecs'", "'7 days'", "'5d'"]
WRITTEN += ["'99999999999999999999 days'", "'0 days'", "'1 DAY'", f"'{'x' * 5000}'"]
OF_A_LIBRARY = re.compile(
    r"pydantic|input should|should (?:be|match|have)|validation error|value error|type=|for further information|\^|\\d", re.IGNORECASE
)


ALIKE = (("collect", "harness"), ("harness", "collect"))  # stages whose slices open the same connections


def _statement(slice_: Slice, options: str) -> str:
    if slice_.stage == "organize":
        return f"CREATE WAREHOUSE it USING {slice_.works_in} WITH ({options});"
    return f"CREATE CONNECTION it TO {slice_.system} WITH ({options});"


def _needed(slice_: Slice, but: str = "") -> list[str]:
    """The options that a slice needs, or another one of its system, each with one that it takes, or what its description gives."""
    beside = [one for one in installed().values() if one.works_in == slice_.works_in and (one.stage, slice_.stage) in ALIKE]
    named = [pair for one in (slice_, *beside) for pair in names_of(config_model(one)).items()]
    required = {key: field for key, field in reversed(named) if field.is_required() and key != but}
    return [f"{key} = '{_example(field)}'" for key, field in required.items()]


def _example(field: FieldInfo) -> str:
    if get_origin(field.annotation) is Literal:
        return str(get_args(field.annotation)[0])
    found = re.search(r"as '([^']+)'", field.description or "")
    return found[1] if found else "ok"


def _options() -> Iterator[tuple[Slice, str]]:
    for slice_ in installed().values():
        for name in names_of(config_model(slice_)):
            yield slice_, name


OPTIONS = [pytest.param(slice_, name, id=f"{slice_.id}-{name}") for slice_, name in _options()]


@pytest.mark.parametrize(("slice_", "name"), OPTIONS)
def test_a_wrong_value_is_told_by_its_option_and_what_that_takes(slice_: Slice, name: str) -> None:
    needed = _needed(slice_, name)
    refused = 0
    for value in WRITTEN:
        text = _statement(slice_, ", ".join([*needed, f"{name} = {value}"]))
        try:
            compile_texts({"p.sql": text}, None, ProjectCache([]))
        except ProgramErrors as errors:
            refused += 1
            for one in errors.diagnostics:
                assert not OF_A_LIBRARY.search(f"{one.cause} {one.remedy}"), one
                assert name in one.cause or value in one.cause, one
                assert one.column >= text.index(name) + 1 and one.remedy, one
    assert refused


@pytest.mark.parametrize(("slice_", "name"), OPTIONS)
def test_an_option_that_is_nearly_one_is_told_which(slice_: Slice, name: str) -> None:
    needed = _needed(slice_)
    with pytest.raises(ProgramErrors) as found:
        compile_texts({"p.sql": _statement(slice_, ", ".join([*needed, f"{name}s = 1"]))}, None, ProjectCache([]))
    assert f"did you mean `{name}`?" in str(found.value)


def test_a_connection_without_its_secret_is_told_how_to_store_one() -> None:
    with pytest.raises(ProgramErrors) as found:
        compile_texts({"p.sql": "CREATE CONNECTION it TO postgres;"}, None, ProjectCache([]))
    assert "`secret` is missing" in str(found.value) and "atoll secret name FILE" in str(found.value)


@pytest.mark.parametrize("model", [PostgresAddress, MysqlAddress])
@pytest.mark.parametrize(("field", "value"), [("port", "x"), ("port", 0), ("port", 70_000), ("sslmode", "required"), ("host", "")])
def test_a_secrets_field_says_what_it_takes(model: type[PostgresAddress], field: str, value: object) -> None:
    secret = {"host": "h", "dbname": "d", "username": "u", "password": "p", field: value}
    (wrong,) = refusals(model, secret)
    assert wrong.name == field and not OF_A_LIBRARY.search(wrong.takes)
    assert wrong.takes.startswith(
        {"port": "a whole number from 1 to 65,535", "sslmode": "one of 'disable', ", "host": "a text"}[field]
    )


def test_what_a_connection_signs_in_with_is_told_to_be_its_secrets() -> None:
    with pytest.raises(ProgramErrors) as found:
        compile_texts({"p.sql": "CREATE CONNECTION it TO postgres WITH (host = 'h', password = 'p');"}, None, ProjectCache([]))
    said = [one for one in found.value.diagnostics if "has no option `password`" in one.cause]
    assert said and "atoll secret name FILE" in said[0].remedy
