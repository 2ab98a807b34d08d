"""Exports the whole metadata layer as lines of JSON, and imports it into another table.

The first line names the format, the last counts the items between them, so that a truncated file is noticed; each of these is
an item in DynamoDB's own JSON, sorted by its keys: two exports of the same state are the same bytes.
"""

from __future__ import annotations

import base64
import hashlib
import heapq
import json
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from shared_metadata.errors import InputError
from shared_metadata.store import keys
from shared_metadata.store.whole_table import Item, scan
from shared_metadata.store.writes import WRITTEN_AT_ONCE, write_several

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

FORMAT, VERSION = "atoll-state", 1
SORTED_AT_ONCE = 50_000  # items in memory, of some 500 bytes
Said = Callable[[int], None]
Key = tuple[str, str]
TIMELINE: Key = (keys.timeline()["pk"], keys.timeline()["sk"])


def silent(_: int) -> None:
    """Reports no progress."""


def export(client: DynamoDBClient, table: str, into: IO[str], said: Said = silent) -> int:
    """Writes all items; returns how many. Writes that happen meanwhile may be in it or not, item by item."""
    count = 0
    into.write(json.dumps({"format": FORMAT, "version": VERSION}) + "\n")
    for line in _sorted(_line(item) for item in scan(client, table, said)):
        into.write(line.partition("\t")[2])
        count += 1
    into.write(json.dumps({"items": count}) + "\n")
    return count


def _line(item: Item) -> str:
    """The keys to sort by, then the line."""
    return f"{json.dumps(_key(item))}\t{json.dumps(item, sort_keys=True, default=_binary)}\n"


def _order(line: str) -> Any:
    return json.loads(line.partition("\t")[0])


def _binary(value: Any) -> str:
    return base64.b64encode(bytes(value)).decode()


def _sorted(lines: Iterable[str]) -> Iterator[str]:
    """Sorts in little memory, however many lines there are."""
    with ExitStack() as files:
        runs: list[IO[str]] = []
        run: list[str] = []
        for line in lines:
            run.append(line)
            if len(run) == SORTED_AT_ONCE:
                runs.append(files.enter_context(_put_aside(sorted(run, key=_order))))
                run = []
        yield from heapq.merge(*runs, sorted(run, key=_order), key=_order)


def _put_aside(lines: Sequence[str]) -> IO[str]:
    file = tempfile.TemporaryFile("w+")  # noqa: SIM115 - whoever reads it closes it
    file.writelines(lines)
    file.seek(0)
    return file


@dataclass(frozen=True)
class Imported:
    """The result of an import. present: items that already were as in the file.  deleted: those that the file lacks."""

    written: int
    present: int
    deleted: int


class Import:
    """Imports one file, which is verified before any write. Raises InputError for an incomplete one."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._digests: dict[Key, bytes] = {}
        self._timeline: list[Item] = []
        for item in self._items():
            key = _key(item)
            if key == TIMELINE:
                self._timeline.append(item)
            if key in self._digests:
                raise self._refused(f"the item {' '.join(key)} is in it twice")
            self._digests[key] = _digest(item)

    def __len__(self) -> int:
        return len(self._digests)

    def into(self, client: DynamoDBClient, table: str, *, replace: bool = False, said: Said = silent) -> Imported:
        """Makes the table hold what the file holds, and may be called again after it was interrupted.

        The timeline of programs comes last, so that nothing runs on half of it. Raises InputError for a table that holds something
        else, unless it is to be replaced.
        """
        held = {_key(item): _digest(item) for item in scan(client, table)}
        strange = [key for key, digest in held.items() if self._digests.get(key) != digest]
        if strange and not replace:
            raise InputError(
                f"the table {table} is not empty: it holds {' '.join(strange[0])} and {len(strange) - 1} other items that this file"
                " does not have, or has otherwise",
                remedy="import into an empty table, or give `--replace` to lose what it holds",
            )
        gone = [key for key in strange if key not in self._digests]
        if strange and TIMELINE in held:  # until the end no program is active
            write_several(client, table, [_deletion(TIMELINE)])
            held.pop(TIMELINE)
        _written(client, table, (_deletion(key) for key in gone if key != TIMELINE), silent)
        missing = (item for item in self._items() if held.get(_key(item)) != _digest(item))
        written = _written(client, table, (_put(item) for item in missing if _key(item) != TIMELINE), said)
        written += _written(client, table, (_put(item) for item in self._timeline if held.get(TIMELINE) != _digest(item)), silent)
        return Imported(written, len(self) - written, len(gone))

    def _items(self) -> Iterator[Item]:
        """Reads the items between the first line and the last."""
        with self._path.open() as lines:
            header = self._parsed(next(lines, ""))
            if header.get("format") != FORMAT:
                raise self._refused("it is no export of Atoll's metadata")
            if header.get("version") != VERSION:
                raise self._refused(f"it is of format version {header.get('version')}; this Atoll reads {VERSION}")
            count = 0
            for line in lines:
                item = self._parsed(line)
                if "items" in item and "pk" not in item:
                    if item["items"] != count:
                        raise self._refused(f"it should hold {item['items']} items, and holds {count}")
                    return
                if not {"pk", "sk"} <= item.keys():
                    raise self._refused(f"line {count + 2} is no item")
                yield _with_bytes(item)
                count += 1
        raise self._refused(f"it ends after {count} items, without its last line: it was cut off")

    def _parsed(self, line: str) -> dict[str, Any]:
        try:
            found = json.loads(line)
        except ValueError:
            found = None
        if not isinstance(found, dict):
            raise self._refused(f"a line of it is no JSON object: {line[:40]!r}")
        return found

    def _refused(self, why: str) -> InputError:
        return InputError(f"{self._path} cannot be imported: {why}", remedy="write it anew with `atoll state export`")


def _with_bytes(value: Any) -> Any:
    """Decodes binary values, which DynamoDB's JSON writes in base64."""
    if isinstance(value, dict):
        if value.keys() == {"B"} and isinstance(value["B"], str):
            return {"B": base64.b64decode(value["B"])}
        return {name: _with_bytes(inner) for name, inner in value.items()}
    return [_with_bytes(inner) for inner in value] if isinstance(value, list) else value


def _key(item: Mapping[str, Any]) -> Key:
    return item["pk"]["S"], item["sk"]["S"]


def _digest(item: Item) -> bytes:
    return hashlib.blake2b(json.dumps(item, sort_keys=True, default=_binary).encode(), digest_size=16).digest()


def _put(item: Item) -> dict[str, Any]:
    return {"PutRequest": {"Item": item}}


def _deletion(key: Key) -> dict[str, Any]:
    return {"DeleteRequest": {"Key": {"pk": {"S": key[0]}, "sk": {"S": key[1]}}}}


def _written(client: DynamoDBClient, table: str, requests: Iterable[dict[str, Any]], said: Said) -> int:
    count, some = 0, list[dict[str, Any]]()
    for request in requests:
        some.append(request)
        if len(some) == WRITTEN_AT_ONCE:
            write_several(client, table, some)
            count, some = count + len(some), []
            said(count)
    if some:
        write_several(client, table, some)
    return count + len(some)
