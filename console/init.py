"""`atoll init`: a first program to change."""

from __future__ import annotations

import json
from pathlib import Path

import click

from console.target import json_option
from shared_metadata.errors import InputError

PROGRAM = """\
-- A first data program. Statements end with `;`. `atoll check` says what is wrong, `atoll apply` makes it run.

CREATE WAREHOUSE lake USING iceberg;

-- The secret is one in AWS Secrets Manager, `atoll/ops`: {"host", "port", "dbname", "username", "password", "sslmode"}.
CREATE CONNECTION ops TO postgres WITH (secret = 'ops');

-- Collect: a table, and from then on what changes in it.
INSERT INTO lake.ops.orders
  EVERY '15 minutes' MERGE ON (id) CURSOR updated_at
AS
SELECT id, customer, amount, updated_at FROM ops.public.orders;

-- Organize: a view over it.
CREATE MATERIALIZED VIEW lake.ops.customers
  EVERY '15 minutes' REPLACE
  EXPECT has_customer: (customer IS NOT NULL) OR WARN
AS
SELECT customer, count(*) AS orders, sum(amount) AS amount
FROM lake.ops.orders
GROUP BY customer;

-- Harness: and back, for an application to read.
INSERT INTO ops.public.customer_totals
  EVERY '15 minutes' MERGE ON (customer)
AS
SELECT customer, orders, amount FROM lake.ops.customers;
"""


@click.command(short_help="Write a first program.sql to change.")
@click.argument("folder", default=".")
@json_option
def init(folder: str, as_json: bool) -> None:
    """Write a first program.sql into FOLDER (default: here), to be changed. Never overwrites one.

    \b
      atoll init
      atoll init programs/sales
    """
    path = Path(folder) / "program.sql"
    if path.exists():
        raise InputError(f"{path} exists already", remedy="change it, or choose another folder")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(PROGRAM, encoding="utf-8")
    except OSError as error:
        raise InputError(f"{path} cannot be written: {error.strerror}", remedy="choose another folder") from error
    if as_json:
        click.echo(json.dumps({"written": str(path)}))
        return
    click.echo(f"wrote {path}\nnext: atoll check{'' if folder == '.' else f' {path}'}")
