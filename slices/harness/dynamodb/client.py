"""Writes rows as items, each under a condition, and tells which of them are refused."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from shared_metadata.aws.at_once import beside_one_another
from shared_metadata.contract.runtime.deadline import Deadline
from shared_metadata.contract.runtime.services import Services
from shared_metadata.contract.runtime.staging import Staging
from shared_metadata.contract.work import Work
from shared_metadata.errors import DefinitionError, RetryLater
from shared_metadata.program import Connection
from shared_metadata.program.lineage import published_table
from slices.harness.dynamodb.account import OpenClient, explained, key_of
from slices.harness.dynamodb.config import read_config
from slices.harness.dynamodb.items import MARK, Unfit, check_item, item_of
from slices.harness.dynamodb.logic import TableKey, check_key
from systems.application_target.application import Answer, Application, Group
from systems.application_target.target import ApplicationTarget

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

# Between two writes of the journal, each of which costs as much as some 4 to 8 rows: what a table that is throttled has taken is
# settled at the next one.
ROWS_A_GROUP = 100
SPARE_SECONDS = 15  # of a call, within which a row is given up
# An item is written where there is none, or one of this publication's that is not newer; `:mark` rises with batches and their claims.
OURS = "attribute_not_exists(#key) OR (begins_with(#mark, :flow) AND #mark <= :mark)"
ANY = "attribute_not_exists(#key) OR attribute_not_exists(#mark) OR NOT begins_with(#mark, :flow) OR #mark <= :mark"
OF_A_ROW = ("ValidationException", "ItemCollectionSizeLimitExceededException")
OTHERS = "another than this publication has written the item with its key"


class Tables(Application):
    """The tables of a connection; and the Application of systems/application_target."""

    rows_a_group, seconds_a_group = ROWS_A_GROUP, 30.0

    def __init__(self, connection: Connection, services: Services, opened: OpenClient) -> None:
        self._config, self._services, self._opened = read_config(connection), services, opened
        self._connection, self._place = connection.name, f"connection {connection.name} ({connection.position})"
        self._keys = dict[str, TableKey]()

    def table(self, name: str) -> TableKey:
        """A table, by its name in the program. Raises DefinitionError where it is not there, or not named by the connection."""
        if name not in self._keys:
            there = self._config.names.get(name)
            if there is None:
                what, remedy = (
                    f"the connection does not name the table {name}",
                    "add it to `tables`, and deploy the slice's stack again",
                )
                raise DefinitionError(what, place=self._place, remedy=remedy)
            found = key_of(self._client, there, self._place)
            if found is None:
                remedy = "make the table, or name another one: see `tables`, `prefix` and `region` of the connection"
                raise DefinitionError(f"there is no table {there}", place=self._place, remedy=remedy)
            self._keys[name] = found
        return self._keys[name]

    def send(self, group: Group, deadline: Deadline) -> Answer:
        """Writes or deletes the rows beside one another; each has an answer of its own, and is begun only while there is time."""
        self._hold_to_time(deadline)
        table = self.table(group.dataset.removeprefix(f"{self._connection}."))
        rows: Sequence[str] = group.upserts or group.deletes
        one = partial(self._put if group.upserts else self._delete, table, group)
        answers = beside_one_another(partial(self._answered, one, deadline), rows, self._config.writes_at_once)
        return Answer({row: why for row, why in enumerate(answers) if why})

    def close(self) -> None:
        if "_client" in vars(self):
            self._client.close()

    @cached_property
    def _client(self) -> DynamoDBClient:
        client: DynamoDBClient = self._services.meter.watch(self._opened(self._config, self._services.session, self._place))
        return client

    def _hold_to_time(self, deadline: Deadline) -> None:
        if deadline.seconds_left < SPARE_SECONDS:
            raise RetryLater("a call's time is over", place=self._place)

    def _answered(self, write: Callable[[str], str], deadline: Deadline, row: str) -> str:
        self._hold_to_time(deadline)
        with explained(self._place):
            return write(row)

    def _put(self, table: TableKey, group: Group, row: str) -> str:
        mark, overwrites = _mark(group), self._config.others == "overwrite"
        try:
            item = {**item_of(row, group.types), MARK: {"S": mark}}
            check_item(item, table.kinds)
        except Unfit as error:
            return str(error)
        condition = _condition(ANY if overwrites else OURS, table, group, mark)
        try:
            self._client.put_item(TableName=table.name, Item=item, ReturnValuesOnConditionCheckFailure="ALL_OLD", **condition)
        except ClientError as error:
            if not _is_condition(error):
                return _of_a_row(error)
            newer = str(error.response.get("Item", {}).get(MARK, {}).get("S", "")).startswith(_flow(group))  # type: ignore[attr-defined]
            return "" if newer or overwrites else OTHERS
        return ""

    def _delete(self, table: TableKey, group: Group, row: str) -> str:
        """What another has written stays, and what is newer; a key that no item has is none that was written."""
        try:
            key = item_of(row, group.types)
            check_item(key, table.kinds)
        except Unfit:
            return ""
        condition = _condition(OURS, table, group, _mark(group))
        try:
            self._client.delete_item(TableName=table.name, Key=key, **condition)
        except ClientError as error:
            return "" if _is_condition(error) else _of_a_row(error)
        return ""


class DynamoDbTarget(ApplicationTarget):
    """An application whose key is asked for before anything is compared."""

    def __init__(self, connection: Connection, services: Services, opened: OpenClient) -> None:
        super().__init__(lambda work, changes: self._tables(), services, where=lambda work: self._table(work).id)
        self._given, self._found = (connection, services, opened), dict[str, TableKey]()

    def diff(self, work: Work, result: Mapping[str, Any], staging: Staging, deadline: Deadline) -> dict[str, Any]:
        check_key(work.flow, published_table(work.flow), [*self._table(work).kinds], work.place)
        return super().diff(work, result, staging, deadline)

    def _table(self, work: Work) -> TableKey:
        name = published_table(work.flow)
        if name not in self._found:
            tables = self._tables()
            try:
                self._found[name] = tables.table(name)
            finally:
                tables.close()
        return self._found[name]

    def _tables(self) -> Tables:
        return Tables(*self._given)


def _flow(group: Group) -> str:
    """A table's name has no blank, and ends the flow's: no other flow's begins with this."""
    return f"{group.dataset} "


def _mark(group: Group) -> str:
    """Who has written an item, and when: a text that rises with batches, and within one with its claims."""
    return f"{_flow(group)}{group.batch} {group.token:010d}"


def _condition(expression: str, table: TableKey, group: Group, mark: str) -> dict[str, Any]:
    return {
        "ConditionExpression": expression,
        "ExpressionAttributeNames": {"#key": next(iter(table.kinds)), "#mark": MARK},
        "ExpressionAttributeValues": {":flow": {"S": _flow(group)}, ":mark": {"S": mark}},
    }


def _is_condition(error: ClientError) -> bool:
    return error.response["Error"]["Code"] == "ConditionalCheckFailedException"


def _of_a_row(error: ClientError) -> str:
    """Why a row is refused; its code alone, for DynamoDB's words may quote it. Any other error is raised again."""
    if (code := error.response["Error"]["Code"]) not in OF_A_ROW:
        raise error
    return f"DynamoDB refuses it as an item: {code}"
