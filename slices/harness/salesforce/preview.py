"""Shows records by their columns' names; Salesforce is not asked, so nothing is said of what it would refuse."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import partial

from shared_metadata.contract.preview import DELETES, UPSERTS, Asked, Parcel, Preview
from shared_metadata.program import Mode
from shared_metadata.program.lineage import published_table
from slices.harness.salesforce.config import read_config
from systems.application_target.application import Group
from systems.application_target.preview import preview as previewed
from systems.salesforce.written import ID


def preview(asked: Asked) -> Preview:
    flow, config = asked.work.flow, read_config(asked.connection)
    if flow.mode == Mode.APPEND:
        does = ("insert", "")
    elif flow.key[0] == ID:
        does = ("update", "nothing: a record that is found by its Id is another's, and stays")
    else:
        does = (f"upsert by {flow.key[0]}", "delete")
    shows = partial(_parcel, published_table(flow), dict(zip((UPSERTS, DELETES), does, strict=True)))
    return previewed(asked, config.rows_a_request, shows, takes_back=False)


def _parcel(name: str, does: Mapping[str, str], group: Group, rows: int) -> Parcel:
    sent = [json.loads(row) for row in (*group.upserts, *group.deletes)]
    return Parcel(len(group), rows, {"object": name, "each by": does[UPSERTS if group.upserts else DELETES]}, sent)
