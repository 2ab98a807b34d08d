"""Who may exchange a rotating grant's refresh token: a lease in the metadata table, and which version of the secret counts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from shared_metadata.store import items, keys
from shared_metadata.store.expressions import setting
from shared_metadata.store.table_actions import TableActions
from shared_metadata.store.table_reader import Clock

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

FORMER_KEPT = 5


@dataclass(frozen=True)
class Lease:
    """What is known of a grant. No token of the grant is in it.

    token: the fencing token; raised by each holder.  until: epoch seconds; 0 without a holder.
    version: of the secret, that which counts.
    pending: that which the holder is to write; '' when it has. Without a holder: that which one was to write that died.
    former: versions that Atoll has replaced, the newest first.
    """

    token: int = 0
    until: float = 0.0
    version: str = ""
    pending: str = ""
    former: tuple[str, ...] = ()


class GrantLeases:
    """The leases of all grants."""

    def __init__(self, dynamodb: DynamoDBClient, table: str, clock: Clock) -> None:
        self._dynamodb, self._table, self._clock = dynamodb, table, clock
        self._actions = TableActions(table)

    def read(self, reference: str) -> Lease:
        key = items.to_item(keys.grant_lease(reference))
        found = self._dynamodb.get_item(TableName=self._table, Key=key, ConsistentRead=True)
        return _lease(items.from_item(found["Item"])) if "Item" in found else Lease()

    def is_held(self, lease: Lease) -> bool:
        return self.seconds_left(lease) > 0

    def seconds_left(self, lease: Lease) -> float:
        return lease.until - self._clock().timestamp()

    def take(self, reference: str, seen: Lease, version: str, pending: str, seconds: float) -> Lease | None:
        """The lease, if nothing has happened to it since it was `seen`; else None."""
        now = self._clock().timestamp()
        taken = replace(seen, token=seen.token + 1, until=now + seconds, version=version, pending=pending)
        if seen.version and seen.version != version:  # the owner has stored another secret since
            taken = replace(taken, former=(seen.version, *seen.former)[:FORMER_KEPT])
        condition = "(attribute_not_exists(#token) OR #token = :seen) AND (attribute_not_exists(#until) OR #until <= :now)"
        return taken if self._put(reference, taken, condition, {":seen": seen.token, ":now": round(now, 3)}) else None

    def settle(self, reference: str, held: Lease, version: str, pending: str = "") -> None:
        """Ends the lease: `version` counts from here on. Without effect for a holder that another has followed.

        pending: where an earlier holder died, the version that it was to write.
        """
        former = held.former if version == held.version else (held.version, *held.former)[:FORMER_KEPT]
        settled = replace(held, until=0.0, version=version, pending=pending, former=former)
        self._put(reference, settled, "#token = :mine", {":mine": held.token})

    def _put(self, reference: str, lease: Lease, condition: str, more: dict[str, Any]) -> bool:
        from shared_metadata.store.writes import written  # it brings botocore, which a command that names an option does without

        expression, names, values = setting(
            {
                "token": lease.token,
                "until": round(lease.until, 3),
                "version": lease.version,
                "pending": lease.pending,
                "former": list(lease.former),
            }
        )
        action = self._actions.update(keys.grant_lease(reference), expression, condition, names, {**values, **more})
        return written(self._dynamodb, action, place=reference)


def _lease(values: Mapping[str, Any]) -> Lease:
    former = tuple(values["former"])
    return Lease(int(values["token"]), float(values["until"]), values["version"], values["pending"], former)
