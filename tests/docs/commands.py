"""The commands that texts show, and what is wrong with one of the AWS CLI's: asked of the API's own model, without a call."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from functools import cache
from typing import Any

import botocore.session
from botocore import xform_name
from botocore.exceptions import UnknownServiceError
from botocore.model import ServiceModel
from botocore.validate import ParamValidator

_FENCED = re.compile(r"^```(?:console|)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_INLINE = re.compile(r"`([^`]+)`")
_PROMPT = re.compile(r"^[$>] ", re.MULTILINE)
# Of every command of the AWS CLI: https://docs.aws.amazon.com/cli/latest/userguide/cli-configure-options.html
_OF_ALL = frozenset({"query", "output", "profile", "region", "no-cli-pager"})
# What the AWS CLI has of its own: commands that are no operation, and options that it calls otherwise than the API does.
_OWN = {("sso", "login")}
_RENAMED = {("sns", "subscribe", "notification-endpoint"): "endpoint"}
_ANYTHING = object()


def shown(text: str, program: str) -> Iterator[list[str]]:
    """The words of each command of the program in a Markdown text's blocks and between its backticks; comments are left out."""
    pieces = [line for block in _FENCED.findall(text) for line in re.sub(r"\\\n\s*", " ", _PROMPT.sub("", block)).splitlines()]
    pieces = [re.sub(r"(?<=\S) {3,}.*", "", line) for line in pieces]  # what it does, in another column
    pieces += [piece.replace("\n", " ") for piece in _INLINE.findall(_FENCED.sub("", text))]
    for piece in pieces:
        if re.match(rf"\s*(\w+=\S+ )*{program} ", f"{piece} "):
            yield from _commands(piece, program)


def _commands(piece: str, program: str) -> Iterator[list[str]]:
    found: list[str] = []
    words = shlex.shlex(piece.replace("…", " … "), posix=True, punctuation_chars=";|&")
    words.whitespace_split = True
    for word in [*words, ";"]:
        if set(word) <= set(";|&"):
            while found and re.fullmatch(r"\w+=.*", found[0]):
                del found[0]
            if found[: len(program.split())] == program.split():
                yield found
            found = []
        else:
            found.append(word)
            for inner in re.findall(r"\$\((.*)\)", word):
                yield from _commands(inner, program)


def options(words: list[str]) -> dict[str, list[str]]:
    """Each option, without its dashes ▸ its values."""
    found: dict[str, list[str]] = {}
    for word in words:
        if word.startswith("--"):
            name, equal, value = word[2:].partition("=")
            found[name] = [value] if equal else []
        elif found:
            found[next(reversed(found))].append(word)
    return found


def wrong_with(words: list[str]) -> str:
    """What the API would not take of `aws SERVICE OPERATION …`; '' if nothing, or if only the operation is named."""
    _, service, operation, *rest = words
    if (service, operation) in _OWN:
        return ""
    try:
        model = _model(service)
    except UnknownServiceError:
        return f"no service {service}"
    names = {xform_name(name, "-"): name for name in model.operation_names}
    if operation not in names:
        return f"{service} has no operation {operation}"
    shape = model.operation_model(names[operation]).input_shape
    members = {xform_name(name, "-"): name for name in shape.members} if shape else {}
    given: dict[str, Any] = {}
    for option, values in options(rest).items():
        if option in _OF_ALL:
            continue
        option = _RENAMED.get((service, operation, option), option)
        name = members.get(option) or members.get(option.removeprefix("no-"), "")
        if not shape or not name or (option not in members and shape.members[name].type_name != "boolean"):
            return f"{operation} has no option --{option}"
        given[name] = _value(shape.members[name], values)
    return _wrong(shape, given) if shape and given else ""


def _wrong(shape: Any, given: dict[str, Any]) -> str:
    missing = set(shape.required_members) - set(given)
    if missing:
        return f"it needs {', '.join(sorted(missing))}"
    known = {name: value for name, value in given.items() if value is not _ANYTHING}
    report = ParamValidator().validate(known, shape)
    errors = [text for text in report.generate_report().splitlines() if "Missing required parameter in input" not in text]
    return "; ".join([*errors, *_not_listed(shape, known)])


def _value(shape: Any, values: list[str]) -> Any:
    """As the AWS CLI reads it; of what another command answers nothing is known."""
    text = " ".join(values)
    if any(mark in text for mark in ("$(", "…", "file://")):
        return _ANYTHING
    if shape.type_name == "boolean":
        return True
    if text[:1] in ("{", "["):
        return json.loads(text)
    if shape.type_name in ("structure", "map"):
        return dict(part.split("=", 1) for part in text.split(","))
    if shape.type_name == "list":
        return values
    return int(text) if shape.type_name in ("integer", "long") and text.isdecimal() else text


def _not_listed(shape: Any, value: Any) -> Iterator[str]:
    """Texts of which the API lists the values, and that are none of them."""
    if shape.type_name == "structure":
        for name, inner in value.items():
            yield from _not_listed(shape.members[name], inner) if name in shape.members else [f"unknown {name}"]
    elif shape.type_name == "list":
        for inner in value:
            yield from _not_listed(shape.member, inner)
    elif shape.type_name == "string" and shape.enum and value not in shape.enum:
        yield f"{value} is none of {', '.join(shape.enum)}"


@cache
def _model(service: str) -> ServiceModel:
    return botocore.session.get_session().get_service_model(service)
