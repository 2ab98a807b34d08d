"""Shows items as they would be written; the account is not asked."""

from __future__ import annotations

from functools import partial
from typing import Any

from shared_metadata.contract.preview import Asked, Parcel, Preview
from shared_metadata.program.lineage import published_table
from slices.harness.dynamodb.client import ROWS_A_GROUP
from slices.harness.dynamodb.config import read_config
from slices.harness.dynamodb.items import Unfit, item_of, shown
from systems.application_target.application import Group
from systems.application_target.preview import preview as previewed


def preview(asked: Asked) -> Preview:
    name = published_table(asked.work.flow)
    return previewed(asked, ROWS_A_GROUP, partial(_parcel, read_config(asked.connection).names.get(name, name)))


def _parcel(table: str, group: Group, rows: int) -> Parcel:
    does = "PutItem" if group.upserts else "DeleteItem"
    sent = [_item(row, group) for row in (*group.upserts, *group.deletes)]
    return Parcel(len(group), rows, {"table": table, "each by": does}, sent)


def _item(row: str, group: Group) -> Any:
    try:
        return shown(item_of(row, group.types))
    except Unfit as error:
        return f"refused: {error}"
