"""The double's own door, `/double/…`: schema changes, rows, faults and inspection as JSON, from this machine only."""

import csv
import io
import json
import re
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from doubles.salesforce.errors import SalesforceError
from doubles.salesforce.org import Org
from doubles.salesforce.schema import field_from_json, object_to_json

PREFIX = "/double/"


def load_schema(org: Org, definitions: list[dict[str, Any]]) -> None:
    """Add objects in their JSON form: `name`, `fields`, and optionally `label`, `key_prefix`, `bulk`, `name_field`."""
    for definition in definitions:
        options = {key: value for key, value in definition.items() if key not in ("name", "fields")}
        fields = [field_from_json(one) for one in definition.get("fields", [])]
        org.add_object(definition["name"], fields, **options)


def answer(org: Org, method: str, path: str, body: bytes) -> tuple[int, Any]:
    """The status and JSON of a request to the door; a mistake in it is a 400 that says what is wrong."""
    for verb, pattern, handler in _ROUTES:
        match = re.fullmatch(pattern, path.removeprefix(PREFIX).rstrip("/"))
        if match is not None and verb == method:
            try:
                return 200, handler(org, match.groups(), body)
            except SalesforceError as error:
                return error.status, error.body()
            except (ValueError, TypeError, KeyError) as error:
                return 400, {"error": f"{type(error).__name__}: {error}"}
    return 404, {"error": f"{method} {path} is not known here; known: " + ", ".join(f"{v} {p}" for v, p, _ in _ROUTES)}


def _rows(body: bytes) -> list[dict[str, Any]]:
    """Rows from a JSON list, or from CSV with a header line."""
    if body.lstrip()[:1] == b"[":
        return list(json.loads(body))
    return list(csv.DictReader(io.StringIO(body.decode())))


def _add_objects(org: Org, parts: tuple[str, ...], body: bytes) -> Any:
    load_schema(org, json.loads(body))
    return {}


def _list_objects(org: Org, parts: tuple[str, ...], body: bytes) -> Any:
    return [object_to_json(one) for one in org.store.objects()]


def _drop_object(org: Org, parts: tuple[str, ...], body: bytes) -> Any:
    org.store.drop_object(org.records.schema(parts[0]).name)
    return {}


def _add_field(org: Org, parts: tuple[str, ...], body: bytes) -> Any:
    org.add_field(parts[0], field_from_json(json.loads(body)))
    return {}


def _remove_field(org: Org, parts: tuple[str, ...], body: bytes) -> Any:
    org.remove_field(parts[0], parts[1])
    return {}


def _rename_field(org: Org, parts: tuple[str, ...], body: bytes) -> Any:
    org.rename_field(parts[0], parts[1], json.loads(body)["name"])
    return {}


def _insert(org: Org, parts: tuple[str, ...], body: bytes) -> Any:
    return {"ids": org.insert(parts[0], _rows(body))}


def _fail_next(org: Org, parts: tuple[str, ...], body: bytes) -> Any:
    org.fail_next(**json.loads(body))
    return {}


def _clear_faults(org: Org, parts: tuple[str, ...], body: bytes) -> Any:
    org.traffic.disarm()
    return {}


def _fail_job(org: Org, parts: tuple[str, ...], body: bytes) -> Any:
    org.jobs.fail_next(json.loads(body)["message"])
    return {}


def _prepare_result(org: Org, parts: tuple[str, ...], body: bytes) -> Any:
    return {"records": org.jobs.prepare_result(parts[0], Path(json.loads(body)["path"]))}


def _expire_tokens(org: Org, parts: tuple[str, ...], body: bytes) -> Any:
    org.expire_tokens()
    return {}


def _expire_locators(org: Org, parts: tuple[str, ...], body: bytes) -> Any:
    org.cursors.expire()
    return {}


def _configure(org: Org, parts: tuple[str, ...], body: bytes) -> Any:
    """Set what is given of the org's tunable numbers."""
    places: dict[str, tuple[Any, str]] = {
        "daily_limit": (org.traffic, "daily_limit"),
        "daily_used": (org.traffic, "daily_used"),
        "token_seconds": (org.authority, "token_seconds"),
        "query_page_rows": (org.cursors, "page_rows"),
        "locator_seconds": (org.cursors, "lifetime_seconds"),
        "job_delay_seconds": (org.jobs, "delay_seconds"),
        "result_page_rows": (org.jobs, "page_rows"),
    }
    wanted: dict[str, float] = json.loads(body) if body else {}
    for name, value in wanted.items():
        if name not in places:
            raise ValueError(f"unknown setting {name}; one of {', '.join(places)}")
        setattr(*places[name], value)
    return {name: getattr(*place) for name, place in places.items()}


def _requests(org: Org, parts: tuple[str, ...], body: bytes) -> Any:
    return [{**asdict(one), "at": one.at.isoformat()} for one in org.requests]


def _authorize(org: Org, parts: tuple[str, ...], body: bytes) -> Any:
    return {"refresh_token": org.authority.authorize(**(json.loads(body) if body else {})).refresh_token}


def _credentials(org: Org, parts: tuple[str, ...], body: bytes) -> Any:
    return asdict(org.authority.credentials)


_Handler = Callable[[Org, tuple[str, ...], bytes], Any]
_ROUTES: list[tuple[str, str, _Handler]] = [
    ("GET", "objects", _list_objects),
    ("POST", "objects", _add_objects),
    ("DELETE", r"objects/(\w+)", _drop_object),
    ("POST", r"objects/(\w+)/fields", _add_field),
    ("DELETE", r"objects/(\w+)/fields/(\w+)", _remove_field),
    ("POST", r"objects/(\w+)/fields/(\w+)/name", _rename_field),
    ("POST", r"objects/(\w+)/rows", _insert),
    ("POST", r"objects/(\w+)/prepared-result", _prepare_result),
    ("POST", "faults", _fail_next),
    ("DELETE", "faults", _clear_faults),
    ("POST", "failed-job", _fail_job),
    ("POST", "expire-tokens", _expire_tokens),
    ("POST", "expire-locators", _expire_locators),
    ("GET", "settings", _configure),
    ("POST", "settings", _configure),
    ("GET", "requests", _requests),
    ("GET", "credentials", _credentials),
    ("POST", "authorizations", _authorize),
]
