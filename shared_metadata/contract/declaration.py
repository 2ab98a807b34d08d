"""What a slice says of itself in its `slice.py`; importing one must be cheap."""

from __future__ import annotations

import importlib
import re
from dataclasses import dataclass
from typing import Any

from shared_metadata.program import Connection, Mode
from shared_metadata.program.type_widening import PROMOTIONS, Widens


def declared(where: str) -> Any:
    """The object that a slice declares as 'module:name', imported now."""
    module, _, name = where.partition(":")
    return getattr(importlib.import_module(module), name)


@dataclass(frozen=True)
class Capabilities:
    """What generic code may ask of a slice, instead of asking its name.

    dialect: sqlglot dialect of queries that run there ('postgres', 'duckdb', 'soql' for none of sqlglot's).
    modes: the modes it can run.  default_mode, default_key, default_cursor: for `TABLES (…)` without clauses.
    queries: COLLECT: 'full' (any SQL), 'projection' (columns, WHERE on one table), 'none'.
    reports_deletes: deleted rows arrive, as `_deleted`.
    reports_left: COLLECT: rows that a WHERE takes no more are told (`Extracted.files`: 'left'); without it a MERGE takes no WHERE.
    never_seen: COLLECT: which changes no batch of a cursor would see, in words that follow "no batch sees"; '' where it sees all.
    never_appended: COLLECT: which no batch of an APPEND would see beside these, in the same words.
    cursor_types: COLLECT: first words of the source's types, as `discover` writes them, that can be a CURSOR, since their values rise
        as rows change; () where the slice's `check` tells.
    rising_types: COLLECT: first words of those that can be one only where the program says that they rise: `CURSOR id RISING`.
    never_rising: COLLECT: which changes no batch of such a cursor would see beside these, in the words of `never_seen`.
    captures: COLLECT: what changed can be read from the source's log (CAPTURE), deleted rows too.
    never_captured: COLLECT: which changes that log does not tell, in the words of `never_seen`.
    capture_leaves: COLLECT: what a source goes on keeping for a dataset that is captured no more, and the remedy.
    appends_by_cursor: COLLECT: which rows an APPEND has not taken yet is told by a cursor, so that it takes the default one.
    resumable: an interrupted extract goes on from a resume token.
    maintains: ORGANIZE: tables are compacted, and old versions forgotten, by the slice (its step 'maintain'); its config tells for
        how long they are kept: `keep_of(interval_seconds)`.
    time_travel: ORGANIZE: a version of a table can be read for as long as it is kept; else readers see the newest state.
    transactional: HARNESS: a batch is seen there as a whole or not at all, and nothing of one that fails; it keeps its own receipts.
    knows_keys: HARNESS: without transactions, yet a row that is written again changes nothing, and an older one replaces no newer.
    open_columns: HARNESS: of a table only the key is known; it takes any other column.
    finds_keys: HARNESS: where not transactional: rows of a MERGE are found there by their key, so that one that is sent twice is
        there once, and no request is known by a key of its own.
    takes_back: HARNESS: rows that an APPEND has added are taken out again, where its batch is run again and they are gone.
    rejects_rows: COLLECT, HARNESS: rows that cannot be read or written are set aside, where the program tolerates them.
    widens: ORGANIZE: which type a column of a table becomes in its place, without loss, where rows come with the wider one: pairs of
        narrow and wide; of 'decimal' to itself one with more digits before the point.
    at_once: ORGANIZE: how many tables of one of its warehouses are at work at once, by a statement each, where the warehouse's option
        `at_once` says no other number; 0 for any.
    own_columns: ORGANIZE, HARNESS: names of columns that it keeps for itself, so that no dataset may have one.
    never_written: ORGANIZE: types, in a column or within it, that its engine cannot write into a table.
    never_because: ORGANIZE: why, of these types: each with words that follow "which the engine writes into no table: ".
    plain_keys: ORGANIZE: rows are merged by columns that have one value, and by no list, map or struct.
    plain_names: ORGANIZE: its engine writes columns and fields only whose names are a letter or _, and then letters, digits and _.
    longest_name: ORGANIZE, HARNESS: bytes that the name of a database, schema, table or column may have there; 0 for any.
    part_mb: COLLECT: how much of a table at the source is one part, by itself; 0 where that is no setting.
    never_masked: COLLECT: columns that it needs in the clear whatever the program says, e.g. in resume tokens.
    """

    dialect: str
    modes: tuple[Mode, ...]
    default_mode: Mode = Mode.REPLACE
    default_key: tuple[str, ...] = ()
    default_cursor: str = ""
    queries: str = "full"
    reports_deletes: bool = False
    reports_left: bool = False
    never_seen: str = ""
    never_appended: str = ""
    cursor_types: tuple[str, ...] = ()
    rising_types: tuple[str, ...] = ()
    never_rising: str = ""
    captures: bool = False
    never_captured: str = ""
    capture_leaves: str = ""
    appends_by_cursor: bool = True
    resumable: bool = True
    maintains: bool = False
    part_mb: int = 0
    never_masked: tuple[str, ...] = ()
    transactional: bool = True
    knows_keys: bool = False
    open_columns: bool = False
    finds_keys: bool = False
    takes_back: bool = True
    rejects_rows: bool = False
    longest_name: int = 0
    never_written: tuple[str, ...] = ()
    never_because: tuple[tuple[str, str], ...] = ()
    plain_keys: bool = False
    plain_names: bool = False
    own_columns: tuple[str, ...] = ()
    widens: Widens = PROMOTIONS
    at_once: int = 0
    time_travel: bool = True

    def may_be_cursor(self, source_type: str, *, rising: bool = False) -> bool:
        """Whether values of a source's type rise: 'timestamp(3) with time zone' ▸ 'timestamp' does, 'integer[]' does not.

        rising: the program says that they do.
        """
        word = re.split(r"[( ]", source_type.lower(), maxsplit=1)[0]
        able = (*self.cursor_types, *self.rising_types) if rising else self.cursor_types
        return not self.cursor_types or (word in able and not source_type.endswith("[]"))


@dataclass(frozen=True)
class Slice:
    """A slice's declaration.

    stage: 'collect' | 'organize' | 'harness'.  system: as after TO or USING in a program.
    title: 'Salesforce', for stack and console names (`CollectSalesforceSlice`).
    config: 'module:class' of its pydantic model of the connection's or warehouse's options, imported on demand.
    misses: COLLECT: 'module:function' of which changes no batch of a cursor sees of one table beside `never_seen`, imported on
        demand: of the system and the table, words that follow "no batch sees", or ''. '' where its tables are all alike.
    secret: 'module:function' of what `atoll secret` asks of what a connection or warehouse signs in with, imported on demand: it
        takes that and the object's fields, and raises SecretError that names a field and no value. '' where it asks nothing.
    check: 'module:function' of what `atoll check` asks of each flow and of what is known of its tables, imported on demand; it raises
        DefinitionError for one that the slice cannot run. '' where it can run all of them.
    fits: HARNESS: 'module:function' of what `atoll check` asks of each column of a publication whose table is known, imported on
        demand: of the table's own word for the column's type and of the type of the values, why these cannot be published there, in
        words that follow the column's type, or ''. '' where the kinds of types alone tell.
    sizes: 'module:function' of what `atoll plan` asks of each flow whose tables' sizes are known (`sizes.Judge`), imported on demand.
        '' where nothing is too large.
    tries: ORGANIZE: 'module:function' of what `atoll test` asks to compute a view over given rows without AWS (`trial.Tries`),
        imported on demand. '' where its engine is not on the machine at hand.
    previews: HARNESS: 'module:function' of what `atoll publish --dry-run` asks of a publication (`preview.Previews`), imported on
        demand. '' where only the result is shown, compared with nothing.
    engine: ORGANIZE: what computes its views, as a warehouse's option `engine` and USING name it; '' where there is no choice.
    takes_over: ORGANIZE: its place among the engines that compute what is too large for the warehouse's own slice, where a program
        says `engine = 'auto'`: the lowest is taken, unless the warehouse names one; 0 for none of these.
    warehouse: ORGANIZE: the system whose warehouses it computes in, where another slice keeps them; '' where it keeps its own.
    functions: ORGANIZE: the languages of functions in code that it runs, each as CREATE FUNCTION has it after USING.
    code_of: ORGANIZE: 'module:function' of what tells a digest of a function's code in the current folder by its options, imported on
        demand; '' where there is none. '' for a slice that runs no functions.
    deployed_options: options of a warehouse or a connection that its stack is made by: whoever changes one deploys it again.
    secret_for: COLLECT: its function that alone reads a connection's secret, which opens no source; '' for all that open one.
    systems: the folders of `systems/` that it imports, which its functions' bundles hold with it.
    reads: COLLECT: steps, each with which items of the metadata table (`store.access`) it reads beside those that every slice's does.
    waits: those of its steps that may wait for work that runs elsewhere (`waiting.turn.NotYet`): COLLECT: extract; ORGANIZE: load,
        refresh, check, commit; HARNESS: diff, publish, commit. Only these have a pause in the state machine.
    tasks: those of its steps that may run as a task of Fargate, where a program asks for it; its Config has
        `tasks.options.TaskOptions`.
    services: of AWS's, those that its functions call beside those of every slice (DynamoDB, S3, Secrets Manager), by boto3's names.
    endpoints: those of them whose endpoint of a VPC is called otherwise, each with that name.
    code: COLLECT: the package that has its handlers, its stack and its requirements, where its own folder holds no code; else ''.
    bundled: 'module:function' of what its functions have beside their bundles (`runtime.made_files`): it takes the system, and gives
        file ▸ text. '' for nothing.
    apart: 'module:function' of the requirements of what its functions run beside themselves, whose packages their bundles hold apart:
        it takes the system, and gives the file and which of its packages may be built of their source, or None. '' for nothing.
    image: 'module:function' of what its tasks run in: it takes the system, and gives an image by its digest, or '' for that of the
        installation. '' for no such function.
    steps: the names of its handlers: those of a batch in their order, then 'discover' if it can look at a connection's tables,
        'landed' (organize, harness), which tells what of batches is there, and 'maintain' if it looks after a warehouse's tables.
    """

    stage: str
    system: str
    title: str
    capabilities: Capabilities
    config: str
    steps: tuple[str, ...]
    engine: str = ""
    takes_over: int = 0
    warehouse: str = ""
    functions: tuple[str, ...] = ()
    code_of: str = ""
    deployed_options: tuple[str, ...] = ()
    check: str = ""
    fits: str = ""
    misses: str = ""
    sizes: str = ""
    tries: str = ""
    previews: str = ""
    secret: str = ""
    secret_for: str = ""
    systems: tuple[str, ...] = ()
    services: tuple[str, ...] = ()
    endpoints: tuple[tuple[str, str], ...] = ()
    reads: tuple[tuple[str, tuple[str, ...]], ...] = ()
    waits: tuple[str, ...] = ()
    tasks: tuple[str, ...] = ()
    code: str = ""
    bundled: str = ""
    apart: str = ""
    image: str = ""

    def opened_with(self, connection: Connection) -> str:
        """The reference of the secret with which its steps open a connection; '' where they open it with none."""
        return "" if self.secret_for else str(connection.options.get("secret") or "")

    def reads_in(self, step: str) -> tuple[str, ...]:
        """What of the metadata table a step reads beside what its stage has every such step read."""
        return dict(self.reads).get(step, ())

    @property
    def package(self) -> str:
        """Where its handlers and its stack are."""
        return self.code or f"slices.{self.stage}.{self.system}"

    @property
    def discovers(self) -> bool:
        """Whether it tells which tables a connection has, and their columns."""
        return "discover" in self.steps

    @property
    def id(self) -> str:
        return f"{self.stage}.{self.system}"

    @property
    def works_in(self) -> str:
        """The system of its connections or warehouses, as a program names it."""
        return self.warehouse or self.system

    @property
    def stack_name(self) -> str:
        return f"{self.stage.capitalize()}{self.title}Slice"
