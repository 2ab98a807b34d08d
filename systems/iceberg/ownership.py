"""Checks that databases and tables in the Glue Data Catalog are Atoll's, and belong to the schema that their name is made of.

Glue's names are the account's: `lake_ops` may be another's database, and 'a_b'.'c' and 'a'.'b_c' make one name.
"""

from __future__ import annotations

from pyiceberg.catalog.glue import GlueCatalog
from pyiceberg.exceptions import NoSuchNamespaceError
from pyiceberg.table import Table

from shared_metadata.errors import DefinitionError

OWNER = "atoll"  # the parameter of a database that says whose it is
TOLD_ONLY = ("CatalogId", "CreateTime")  # the fields that Glue returns for a database, and does not accept


def own_database(catalog: GlueCatalog, database: str, schema: str, place: str) -> None:
    """Makes the database of a schema, as in 'lake.ops', where it is not there; raises DefinitionError where it is another's.

    One that is there is not made: a role may be granted it, and no other (Lake Formation).
    """
    try:
        found = catalog.load_namespace_properties(database)
    except NoSuchNamespaceError:
        catalog.create_namespace_if_not_exists(database, {OWNER: schema})
        found = catalog.load_namespace_properties(database)
    owner = found.get(OWNER)
    if owner == schema:
        return
    give = f"to give it to this one: {_give(database, schema)}"
    raise DefinitionError(
        f"the Glue database {database} is there and {f'belongs to {owner}' if owner else 'is not made by Atoll'}",
        place=place,
        remedy=f"name the schema or the warehouse otherwise{'' if owner else f'; {give}'}",
    )


def _give(database: str, schema: str) -> str:
    """The command that adds the mark. An update puts its input in place of all that is there, so it takes that along."""
    there = f"aws glue get-database --name {database} --output json"
    marked = f"""jq '.Database | del({", ".join(f".{name}" for name in TOLD_ONLY)}) | .Parameters.{OWNER} = "{schema}"'"""
    return f'aws glue update-database --name {database} --database-input "$({there} | {marked})"'


def check_table(table: Table, location: str, place: str) -> None:
    """Raises DefinitionError for a table whose data lies elsewhere than Atoll's would: it is another's."""
    if table.location().rstrip("/") != location:
        raise DefinitionError(
            f"the Glue table {'.'.join(table.name())} is there and is not this dataset's: its data lies at {table.location()}",
            place=place,
            remedy="name the schema or the warehouse otherwise",
        )
