"""Shows requests as they would be sent, without what the secret adds to them, which is not read."""

from __future__ import annotations

from functools import partial

from shared_metadata.contract.preview import Asked, Parcel, Preview
from slices.harness.webhook.config import Config, read_config
from slices.harness.webhook.logic import body_of, told_of
from systems.application_target.application import Group
from systems.application_target.preview import preview as previewed
from systems.standard_webhooks.signing import ID, SIGNATURE, TIMESTAMP

SECRET = f"the address, {SIGNATURE} where there is a `key`, and a `header` of its own"


def preview(asked: Asked) -> Preview:
    config = read_config(asked.connection)
    return previewed(asked, config.rows_a_request, partial(_shown, config))


def _shown(config: Config, group: Group, rows: int) -> Parcel:
    """A request that has the group's rows alone."""
    about = {"method": "POST", "headers": [*told_of(config.format), ID, TIMESTAMP], f"from the secret {config.secret}": SECRET}
    return Parcel(len(group), rows, about, [body_of(group, config.format).decode()])
