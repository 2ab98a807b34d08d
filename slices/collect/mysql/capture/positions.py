"""Places in a binary log, as global transaction ids tell them: MariaDB's and MySQL's; no I/O.

A place is a set of transactions: all that a log has before it. So it is the same on every server that has them, and file names, which
are each server's own, say nothing of it.

https://mariadb.com/kb/en/gtid/, https://dev.mysql.com/doc/refman/8.4/en/replication-gtids-concepts.html
"""

from __future__ import annotations

from typing import Protocol


class Share(Protocol):
    """The transactions between two places, in the order in which the log has them.

    done: all of them were met.
    """

    done: bool

    def has(self, transaction: str) -> bool:
        """Whether one of the log is among them; it is met by this."""
        ...


class MariadbShare:
    """The share between places like '0-1-270,1-1-5': of each domain the last transaction, as domain, server and number."""

    def __init__(self, since: str, until: str) -> None:
        self._since, self._until = last_of(since), last_of(until)
        self._left = {domain for domain, number in self._until.items() if number > self._since.get(domain, -1)}
        self.done = not self._left

    def has(self, transaction: str) -> bool:
        domain, _, number = map(int, transaction.split("-"))
        upto = self._until.get(domain, -1)
        if number >= upto:
            self._left.discard(domain)
            self.done = not self._left
        return self._since.get(domain, -1) < number <= upto


class MysqlShare:
    """The transactions of a set like '3e11fa47-…:1-5:7,…', without any that a log is not asked for."""

    def __init__(self, transactions: str) -> None:
        self._ranges = ranges_of(transactions)
        self._left = sum(last - first + 1 for ranges in self._ranges.values() for first, last in ranges)
        self.done = not self._left

    def has(self, transaction: str) -> bool:
        server, _, number = transaction.rpartition(":")
        found = any(first <= int(number) <= last for first, last in self._ranges.get(server.lower(), ()))
        self._left -= found
        self.done = not self._left
        return found


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


def is_behind(place: str, other: str) -> bool:
    """Whether a server of MariaDB's, whose log ends at a place, lacks some of what is before another."""
    has = last_of(place)
    return any(has.get(domain, -1) < number for domain, number in last_of(other).items())
