"""OAuth grants whose refresh token is replaced at each use: one holder exchanges it, and writes the new one back before its use.

A server with refresh token rotation takes a refresh token once; a second use of it ends the whole grant
(https://datatracker.ietf.org/doc/html/rfc9700#section-4.14.2). So of all functions that use a grant, one at a time exchanges the
token, under a lease. It writes what the server answers into the secret, as a version whose id stood in the lease before the exchange,
and only then is the access token used. The others wait, and read that from the secret.

A holder that dies before the exchange has done nothing. One that dies after the write-back has left the version, which is looked for
by its id. One that dies between the two, while no copy of the new token exists but its own, loses the grant, which has to be
authorised again. Nothing but a server with a grace period can close that window.
"""

from __future__ import annotations

import json
import random
import time
import uuid
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from shared_metadata import naming
from shared_metadata.contract.secrets.grant_lease import GrantLeases, Lease
from shared_metadata.contract.secrets.secret_store import StoredSecret, denied, read_secret
from shared_metadata.errors import RetryLater, SecretError

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient

OPTION = "rotating_grant"  # of a connection: its slice may write this connection's secret
ACCESS_TOKEN, REFRESH_TOKEN = "access_token", "refresh_token"
LEASE_SECONDS = 150.0  # more than exchange and write-back can take
NEEDED_SECONDS = 75.0  # of a function's time, to begin an exchange
WRITE_SECONDS = 45.0  # for trying to write back
LONGEST_WAIT_SECONDS = 20.0  # for another holder; less than the margin that every step keeps
TRIAL = "ATOLL_TRIAL"

Exchange = Callable[[Mapping[str, Any]], Mapping[str, Any]]


class RotatingGrant:
    """One connection's grant, as one function uses it. The secret holds the refresh token and the newest access token."""

    def __init__(
        self,
        leases: GrantLeases,
        secrets: SecretsManagerClient,
        reference: str,
        place: str,
        seconds_left: Callable[[], float],
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self._leases, self._secrets, self._reference, self._place = leases, secrets, reference, place
        self._seconds_left, self._pause = seconds_left, pause

    def access(self, exchange: Exchange, refused: str = "") -> Mapping[str, Any]:
        """The secret with an access token that was written back before; another than `refused`, which does not work any more.

        exchange: asks the server for new tokens, once at most; raises SecretError where the server refuses, RetryLater where it is
        not known what became of the request. Raises RetryLater where another holder is at work for long, or too little time is left.
        """
        until = time.monotonic() + min(LONGEST_WAIT_SECONDS, self._seconds_left() / 2)
        while True:
            lease = self._leases.read(self._reference)
            stored = self._stored(lease)
            if stored is not None and stored.values.get(ACCESS_TOKEN) not in (None, "", refused):
                return stored.values
            if stored is not None and not self._leases.is_held(lease) and (found := self._renewed(lease, stored, exchange)):
                return found
            if time.monotonic() > until:
                raise RetryLater("another function renews the grant", place=self._place, remedy="nothing, it is tried again")
            self._pause(random.uniform(0.1, 0.5))

    def _stored(self, lease: Lease) -> StoredSecret | None:
        """The version that counts; None where a copy of Secrets Manager does not know it yet."""
        stored = read_secret(self._secrets, self._reference, place=self._place)
        if stored.version in lease.former:
            found = self._version(lease.version)
            if found is None:
                return None
            stored = found
        if stored.version == lease.version and lease.pending and not self._leases.is_held(lease):
            stored = self._version(lease.pending) or stored  # the holder died: before it wrote, or after
        return stored

    def _version(self, version: str) -> StoredSecret | None:
        name = naming.secret(self._reference)
        try:
            return read_secret(self._secrets, self._reference, place=self._place, version=version)
        except SecretError as error:
            if error.what == f"the secret {name} does not exist":
                return None
            raise

    def _renewed(self, seen: Lease, stored: StoredSecret, exchange: Exchange) -> Mapping[str, Any] | None:
        """New tokens, written back; None where another was faster."""
        if self._seconds_left() < NEEDED_SECONDS:
            remedy = "nothing: it is tried again by a function with more time"
            raise RetryLater("too little time is left to renew the grant", place=self._place, remedy=remedy)
        held = self._leases.take(self._reference, seen, stored.version, str(uuid.uuid4()), LEASE_SECONDS)
        if held is None:
            return None
        if not seen.version or seen.pending:
            self._try_to_write(held, stored)
        if self._leases.seconds_left(held) < NEEDED_SECONDS:  # this process stood still: another may be at it
            raise RetryLater("the lease on the grant has run out", place=self._place, remedy="nothing, it is tried again")
        try:
            answer = exchange(stored.values)
        except SecretError as error:
            died = seen.pending if stored.version == seen.version else ""
            self._leases.settle(self._reference, held, stored.version, died)
            raise self._lost(error.what, interrupted=bool(died)) from None
        values = {**stored.values, **answer}
        self._write_back(held, values)
        self._leases.settle(self._reference, held, held.pending)
        return values

    def _try_to_write(self, held: Lease, stored: StoredSecret) -> None:
        """Stores what is there already, beside it: an exchange whose outcome cannot be written would end the grant."""
        try:
            self._put(dict(stored.values), str(uuid.uuid4()), VersionStages=[TRIAL])
        except self._secrets.exceptions.ClientError as error:
            self._leases.settle(self._reference, held, stored.version)
            raise denied(error, f"writing the secret {naming.secret(self._reference)} was denied", self._place) from None

    def _write_back(self, held: Lease, values: Mapping[str, Any]) -> None:
        """Tries until it is written: this process has the only copy."""
        until = time.monotonic() + min(WRITE_SECONDS, self._seconds_left() - 5)
        while True:
            try:
                self._put(values, held.pending)
                return
            except Exception as error:
                if time.monotonic() > until:
                    raise self._lost(f"the new refresh token could not be written: {type(error).__name__}") from None
            self._pause(0.5)

    def _put(self, values: Mapping[str, Any], version: str, **more: Any) -> None:
        name = naming.secret(self._reference)
        self._secrets.put_secret_value(SecretId=name, ClientRequestToken=version, SecretString=json.dumps(dict(values)), **more)

    def _lost(self, what: str, *, interrupted: bool = False) -> SecretError:
        why = "; a function that renewed the grant before died at it, perhaps with the only new token" if interrupted else ""
        remedy = f"authorise again, and store the secret with the new refresh token: `atoll secret {self._reference} FILE`"
        return SecretError(f"{what}{why}", place=self._place, remedy=remedy)
