"""Every key of the metadata table; no other module writes one.

| item | pk | sk |
|---|---|---|
| timeline of program versions | PROGRAM | ACTIVE |
| program version, compressed, in parts | PROGRAM#<version> | PART#<n> |
| what the compiler knows of a dataset's columns, compressed | PROGRAM#<version> | COLUMNS#<dataset> |
| … and of a source's table | PROGRAM#<version> | SOURCE#<table> |
| installed slices | SLICES | <slice id> |
| flow state | FLOW#<flow> | STATE |
| batch | FLOW#<flow> | BATCH#<start> |
| dataset version | DATASET#<dataset> | VERSION#<end> |
| schema version | DATASET#<dataset> | SCHEMA#<number> |
| data event (the outbox) | EVENT#<day> | <moment>#<flow>#<start>#<token>#<what> |
| statistics | STATISTICS#<flow> | <start>#<dataset> |
| what of drift is open | DRIFT | OPEN |
| drift | DRIFT | NUMBER#<number> |
| table of a source | SOURCE#<connection> | TABLE#<name there> |
| when a table was maintained | MAINTENANCE | <dataset> |
| who may renew a rotating grant | GRANT#<secret's reference> | LEASE |
| what the last verification in a function found | VERIFICATION | LAST |
"""

from __future__ import annotations

from datetime import datetime

from shared_metadata.intervals import to_text

Key = dict[str, str]
PROGRAM_PREFIX = "PROGRAM#"
FLOW_PREFIX = "FLOW#"
DATASET_PREFIX = "DATASET#"
EVENT_PREFIX = "EVENT#"
STATISTICS_PREFIX = "STATISTICS#"
QUIESCE_PREFIX = "quiesced#"
SOURCE_PREFIX = "SOURCE#"
MAINTENANCE = "MAINTENANCE"
GRANT_PREFIX = "GRANT#"
VERIFICATION = "VERIFICATION"


def timeline() -> Key:
    return {"pk": "PROGRAM", "sk": "ACTIVE"}


def program_part(version: str, part: int) -> Key:
    return {"pk": f"{PROGRAM_PREFIX}{version}", "sk": f"PART#{part:04d}"}


def dataset_lineage(version: str, dataset: str) -> Key:
    return {"pk": f"{PROGRAM_PREFIX}{version}", "sk": f"COLUMNS#{dataset}"}


def source_lineage(version: str, table: str) -> Key:
    return {"pk": f"{PROGRAM_PREFIX}{version}", "sk": f"SOURCE#{table}"}


def installed_slice(slice_id: str) -> Key:
    return {"pk": "SLICES", "sk": slice_id}


def open_drifts() -> Key:
    return {"pk": "DRIFT", "sk": "OPEN"}


def drift(number: int) -> Key:
    return {"pk": "DRIFT", "sk": f"NUMBER#{number:08d}"}


def quiesce_mark(number: int) -> str:
    """The attribute of a flow's state that says which of its datasets a drift quiesces."""
    return f"{QUIESCE_PREFIX}{number}"


def flow_state(flow: str) -> Key:
    return {"pk": f"{FLOW_PREFIX}{flow}", "sk": "STATE"}


def batch(flow: str, start: datetime) -> Key:
    return {"pk": f"{FLOW_PREFIX}{flow}", "sk": f"BATCH#{to_text(start)}"}


def version(dataset: str, end: datetime) -> Key:
    return {"pk": f"{DATASET_PREFIX}{dataset}", "sk": f"VERSION#{to_text(end)}"}


def schema(dataset: str, number: int) -> Key:
    return {"pk": f"{DATASET_PREFIX}{dataset}", "sk": f"SCHEMA#{number:08d}"}


def event(at: datetime, identity: str) -> Key:
    """`identity` makes the event the same however often it is put: flow, start, token and what it says."""
    return {"pk": f"{EVENT_PREFIX}{at:%Y-%m-%d}", "sk": f"{to_text(at)}#{identity}"}


def first_event(since: datetime) -> Key:
    """What the keys of all events of that day since then are at least. A fraction of a second sorts before the Z of a whole one."""
    return {**event(since, ""), "sk": to_text(since.replace(microsecond=0)).removesuffix("Z")}


def statistics(flow: str, start: datetime, dataset: str) -> Key:
    return {"pk": f"{STATISTICS_PREFIX}{flow}", "sk": f"{to_text(start)}#{dataset}"}


def source_table(connection: str, table: str) -> Key:
    return {"pk": f"{SOURCE_PREFIX}{connection}", "sk": f"TABLE#{table}"}


def maintained(dataset: str) -> Key:
    return {"pk": MAINTENANCE, "sk": dataset}


def grant_lease(reference: str) -> Key:
    return {"pk": f"{GRANT_PREFIX}{reference}", "sk": "LEASE"}


def last_verification() -> Key:
    return {"pk": VERIFICATION, "sk": "LAST"}
