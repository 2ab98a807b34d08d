"""Every key of the metadata table; no other module writes one.

| item | pk | sk |
|---|---|---|
| timeline of program versions | PROGRAM | ACTIVE |
| program version, compressed, in parts | PROGRAM#<version> | PART#<n> |
| what the compiler knows of a dataset's columns, compressed | PROGRAM#<version> | COLUMNS#<dataset> |
| … and of a source's table | PROGRAM#<version> | SOURCE#<table> |
| installed slices | SLICES | <slice id> |
| where a dataset of a flow stands | FLOW#<flow> | STATE#<dataset> |
| what the tables of a batch share | FLOW#<flow> | BATCH#<start> |
| a table of a batch | FLOW#<flow> | TABLE#<start>#<dataset> |
| what is left of batches that have aged | FLOW#<flow> | AGED |
| dataset version | DATASET#<dataset> | VERSION#<end> |
| before when versions are forgotten | DATASET#<dataset> | AGED |
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

from shared_metadata.program.intervals import to_text

Key = dict[str, str]
PROGRAM_PREFIX = "PROGRAM#"
FLOW_PREFIX = "FLOW#"
STATE_PREFIX = "STATE#"
BATCH_PREFIX = "BATCH#"
TABLE_PREFIX = "TABLE#"
VERSION_PREFIX = "VERSION#"
AGED = "AGED"
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
    """The attribute of a dataset's state that marks it as quiesced by a drift."""
    return f"{QUIESCE_PREFIX}{number}"


def flow(name: str) -> str:
    """The partition of all records of a flow."""
    return f"{FLOW_PREFIX}{name}"


def state(flow: str, dataset: str) -> Key:
    return {"pk": f"{FLOW_PREFIX}{flow}", "sk": f"{STATE_PREFIX}{dataset}"}


def batch(flow: str, start: datetime) -> Key:
    return {"pk": f"{FLOW_PREFIX}{flow}", "sk": f"{BATCH_PREFIX}{to_text(start)}"}


def batch_table(flow: str, start: datetime, dataset: str) -> Key:
    return {"pk": f"{FLOW_PREFIX}{flow}", "sk": f"{TABLE_PREFIX}{to_text(start)}#{dataset}"}


def aged_batches(flow: str) -> Key:
    return {"pk": f"{FLOW_PREFIX}{flow}", "sk": AGED}


def version(dataset: str, end: datetime) -> Key:
    return {"pk": f"{DATASET_PREFIX}{dataset}", "sk": f"{VERSION_PREFIX}{to_text(end)}"}


def aged_versions(dataset: str) -> Key:
    return {"pk": f"{DATASET_PREFIX}{dataset}", "sk": AGED}


def schema(dataset: str, number: int) -> Key:
    return {"pk": f"{DATASET_PREFIX}{dataset}", "sk": f"SCHEMA#{number:08d}"}


def event(at: datetime, identity: str) -> Key:
    """`identity` makes the event the same however often it is put: flow, start, token and what it says."""
    return {"pk": f"{EVENT_PREFIX}{at:%Y-%m-%d}", "sk": f"{to_text(at)}#{identity}"}


def first_event(since: datetime) -> Key:
    """The least key of all events of that day since then. A fraction of a second sorts before the Z of a whole one."""
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
