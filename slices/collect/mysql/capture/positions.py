"""Places in a binary log, as global transaction ids tell them: MariaDB's and MySQL's; no I/O.

A place is a set of transactions: all that a log has before it. So it is the same on every server that has them, and file names, which
are each server's own, say nothing of it.

https://mariadb.com/kb/en/gtid/, https://dev.mysql.com/doc/refman/8.4/en/replication-gtids-concepts.html
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol


class Share(Protocol):
    """The transactions between two places, in the order in which the log has them.

    done: all of them were met.  place: behind those that were read whole.  left: of MySQL, the others; '' of MariaDB.
    """

    done: bool

    @property
    def place(self) -> str: ...

    @property
    def left(self) -> str: ...

    def finished(self, transaction: str) -> None:
        """One of them was read whole."""
        ...

    def has(self, transaction: str) -> bool:
        """Whether one of the log is among them; it is met by this."""
        ...


class MariadbShare:
    """The share between places like '0-1-270,1-1-5': of each domain the last transaction, as domain, server and number."""

    left = ""

    def __init__(self, since: str, until: str) -> None:
        self._since, self._until = last_of(since), last_of(until)
        self._read = {each.partition("-")[0]: each for each in filter(None, since.replace("\n", "").split(","))}
        self._left = {domain for domain, number in self._until.items() if number > self._since.get(domain, -1)}
        self.done = not self._left

    def has(self, transaction: str) -> bool:
        domain, _, number = map(int, transaction.split("-"))
        upto = self._until.get(domain, -1)
        if number >= upto:
            self._left.discard(domain)
            self.done = not self._left
        return self._since.get(domain, -1) < number <= upto

    @property
    def place(self) -> str:
        return ",".join(self._read.values())

    def finished(self, transaction: str) -> None:
        self._read[transaction.partition("-")[0]] = transaction


class MysqlShare:
    """The transactions of a set like '3e11fa47-…:1-5:7,…', without what a log is not asked for. since: what was read before."""

    def __init__(self, since: str, transactions: str) -> None:
        self._since, self._read = since, dict[str, list[tuple[int, int]]]()
        self._ranges = ranges_of(transactions)
        self._left = sum(last - first + 1 for ranges in self._ranges.values() for first, last in ranges)
        self.done = not self._left

    def has(self, transaction: str) -> bool:
        server, _, number = transaction.rpartition(":")
        found = any(first <= int(number) <= last for first, last in self._ranges.get(server.lower(), ()))
        self._left -= found
        self.done = not self._left
        return found

    @property
    def place(self) -> str:
        since = ranges_of(self._since)
        return text_of({server: _joined([*since.get(server, []), *self._read.get(server, [])]) for server in {**since, **self._read}})

    @property
    def left(self) -> str:
        return text_of({server: _without(ranges, self._read.get(server, [])) for server, ranges in self._ranges.items()})

    def finished(self, transaction: str) -> None:
        server, _, number = transaction.rpartition(":")
        ranges = self._read.setdefault(server.lower(), [])
        first = ranges.pop()[0] if ranges and ranges[-1][1] == int(number) - 1 else int(number)
        ranges.append((first, int(number)))


def last_of(place: str) -> dict[int, int]:
    """Domain ▸ number of its last transaction, of a place of MariaDB's."""
    found = {}
    for each in filter(None, place.replace("\n", "").split(",")):
        domain, _, number = map(int, each.split("-"))
        found[domain] = number
    return found


def ranges_of(transactions: str) -> dict[str, list[tuple[int, int]]]:
    """Server, and tag, ▸ first and last numbers, of a set of MySQL's."""
    found: dict[str, list[tuple[int, int]]] = {}
    for each in filter(None, transactions.replace("\n", "").replace(" ", "").split(",")):
        server, *parts = each.lower().split(":")
        name = server
        for part in parts:
            if part[0].isdigit():
                first, _, last = part.partition("-")
                found.setdefault(name, []).append((int(first), int(last or first)))
            else:
                name = f"{server}:{part}"
    return found


def text_of(ranges: Mapping[str, Sequence[tuple[int, int]]]) -> str:
    """A set of MySQL's, each server and tag by itself."""
    return ",".join(f"{server}:{':'.join(f'{first}-{last}' for first, last in found)}" for server, found in ranges.items() if found)


def _joined(ranges: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    found: list[tuple[int, int]] = []
    for first, last in sorted(ranges):
        begins = found.pop()[0] if found and found[-1][1] >= first - 1 else first
        found.append((begins, last))
    return found


def _without(ranges: Sequence[tuple[int, int]], others: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    left = [*ranges]
    for begins, ends in others:
        split = [((first, min(last, begins - 1)), (max(first, ends + 1), last)) for first, last in left]
        left = [(first, last) for both in split for first, last in both if first <= last]
    return left


def is_behind(place: str, other: str) -> bool:
    """Whether a server of MariaDB's, whose log ends at a place, lacks some of what is before another."""
    has = last_of(place)
    return any(has.get(domain, -1) < number for domain, number in last_of(other).items())
