"""The moment at which an update set takes effect; refuses reprocessing whose inputs' versions are forgotten."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from console.project import config_model
from shared_metadata.contract.maintenance.restatable import refuse_what_is_forgotten
from shared_metadata.program import Flow, Program
from shared_metadata.update_set.applying import EffectiveAt, moment_of
from slices.registry import installed

if TYPE_CHECKING:
    from shared_metadata.store.reader import MetadataReader


def effective_moment(
    reader: MetadataReader, program: Program, now: datetime, *, at: datetime | None = None, restate_from: datetime | None = None
) -> EffectiveAt:
    """The moment as in `moment_of`. Raises InputError also for a restatement from further back than the warehouse keeps versions."""
    moment = moment_of(reader, program, now, at=at, restate_from=restate_from)
    if restate_from is not None and moment.timeline.entries:
        refuse_what_is_forgotten(reader, program, moment, now, keep_of)
    return moment


def keep_of(program: Program, flow: Flow) -> timedelta | None:
    """How long its slice keeps a flow's versions, by the warehouse's options; None where it forgets none."""
    declaration, warehouse = installed().get(flow.slice_id), program.warehouses.get(flow.warehouse)
    if declaration is None or warehouse is None or not declaration.capabilities.maintains:
        return None
    config = config_model(declaration).read(warehouse.options, place=f"warehouse {warehouse.name} ({warehouse.position})")
    keep: timedelta = config.keep_of(flow.interval_seconds)
    return keep
