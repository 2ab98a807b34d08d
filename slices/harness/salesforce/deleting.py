"""Deletes records by their keys: Salesforce deletes by Ids, so these are asked for first."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote_plus

from slices.harness.salesforce.keys import folded
from slices.harness.salesforce.logic import Writing
from slices.harness.salesforce.reasons import FOR_THE_MOMENT, GONE, code_of, reason_of
from slices.harness.salesforce.values import in_soql, written
from systems.application_target.application import Answer
from systems.salesforce.session import Session

QUERY, COLLECTIONS = "query", "composite/sobjects"
MOST = 200
# REST API Developer Guide, "Status Codes and Error Responses", 414 and 431: 16,384 bytes, of which some are headers.
MOST_LETTERS = 12_000
SEVERAL = "several records have the key"


class Deleting:
    """Deletes records of one flow."""

    def __init__(self, session: Session, writing: Writing) -> None:
        self._session, self._writing = session, writing

    def delete(self, keys: Sequence[str], held: Callable[[Collection[str]], set[str]]) -> Answer:
        """Deletes the records of keys, JSON objects; tells those that may not go, or not yet. One that is gone already may.

        held: which of them are a key of the result too, for Salesforce: their record stays.
        """
        refused, waiting = dict[int, str](), dict[int, str]()
        for some in self._parts(keys):
            stays = held([value for _, value in some if isinstance(value, str)])
            gone = [(number, self._alike(value)) for number, value in some if value not in stays]
            found = self._ids([value for _, value in gone]) if gone else {}
            refused |= {number: SEVERAL for number, value in gone if len(found.get(value, ())) > 1}
            known = {found[value][0]: number for number, value in gone if len(found.get(value, ())) == 1}
            for number, why, again in self._deleted(known):
                (waiting if again else refused)[number] = why
        return Answer(refused, waiting)

    def _parts(self, keys: Sequence[str]) -> Iterator[list[tuple[int, Any]]]:
        """Numbers and values, as many as a request may ask for."""
        key, part, letters = self._key, list[tuple[int, Any]](), 0
        for number, row in enumerate(keys):
            value = written(key.kind, json.loads(row)[key.name])
            length = len(quote_plus(in_soql(value))) + 3
            if part and (len(part) == MOST or letters + length > MOST_LETTERS):
                yield part
                part, letters = [], 0
            part, letters = [*part, (number, value)], letters + length
        if part:
            yield part

    def _ids(self, values: Sequence[Any]) -> defaultdict[Any, list[str]]:
        """Key ▸ the Ids of its records."""
        name, field = self._writing.object.name, self._key.field.name
        soql = f"SELECT Id, {field} FROM {name} WHERE {field} IN ({', '.join(map(in_soql, values))})"
        found: defaultdict[Any, list[str]] = defaultdict(list)
        answer = self._session.get(QUERY, {"q": soql})
        while True:
            for record in answer["records"]:
                found[self._alike(record[field])].append(record["Id"])
            if answer["done"]:
                return found
            answer = self._session.get(answer["nextRecordsUrl"])

    def _deleted(self, known: Mapping[str, int]) -> Iterator[tuple[int, str, bool]]:
        """Numbers of records that stay, why, and whether only for the moment."""
        if not known:
            return
        results = self._session.ask("DELETE", COLLECTIONS, query={"ids": ",".join(known), "allOrNone": "false"})
        for number, result in zip(known.values(), results, strict=True):
            if not result["success"] and (code := code_of(result["errors"])) not in GONE:
                yield number, reason_of(result["errors"]), code in FOR_THE_MOMENT

    def _alike(self, value: Any) -> Any:
        """The same for keys that are one for Salesforce."""
        return folded(value, self._key) if isinstance(value, str) and self._key.field.is_text else value

    @property
    def _key(self) -> Any:
        return self._writing.key
