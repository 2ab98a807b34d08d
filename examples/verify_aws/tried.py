"""What of a slice a run tries: another engine of the lake, another warehouse, or another system to read and publish in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from console.project import slices_opening
from examples.verify_aws import oracle
from examples.verify_aws.database import Shop
from examples.verify_aws.mysql import MysqlShop
from shared_metadata.contract.declaration import declared
from shared_metadata.errors import InputError
from shared_metadata.program import Program
from slices import registry

LAKE, WAREHOUSE = "iceberg", "lake"
DATABASES = (Shop.system, MysqlShop.system)


@dataclass(frozen=True)
class Tried:
    """warehouse: which the program uses.  options: of its WITH.  database: where it has to read and publish; '' for either."""

    warehouse: str = LAKE
    options: str = ""
    database: str = ""

    def program(self, text: str, schema: str) -> str:
        """schema: of the warehouse's tables, where that is not the lake, whose tables go with the installation."""
        plain = f"USING {LAKE}"
        assert plain in text
        told = f" WITH ({self.options})" if self.options else ""
        text = text.replace(plain, f"USING {self.warehouse}{told}")
        return text if self.warehouse == LAKE else text.replace(f"{WAREHOUSE}.shop.", f"{WAREHOUSE}.{schema}.")


def tried(slice_id: str, options: str = "") -> Tried:
    """What a slice has the program do: 'organize/athena' or 'organize.athena'; '' is the program as it stands. Raises InputError."""
    wanted = slice_named(slice_id)
    known = {name: _tried(found, options) for name, found in registry.installed().items() if _uses(found)}
    if wanted and wanted not in known:
        remedy = f"SLICE is one of {', '.join(sorted([*known, oracle.SLICE]))}"
        raise InputError(f"the program of this verification does not use {wanted}", remedy=remedy)
    found = known[wanted] if wanted else Tried()
    if bool(options) != (found.warehouse != LAKE):
        remedy = "of another warehouse than the lake, and of no other slice, --with says what stands in its WITH (…)"
        raise InputError(f"--with is {'not of' if options else 'missing for'} {wanted or 'the lake'}", remedy=remedy)
    return found


def slice_named(text: str) -> str:
    """'organize/athena', 'slices/organize/athena/' ▸ 'organize.athena'."""
    return text.strip("/").removeprefix("slices/").replace("/", ".")


def _uses(found: Any) -> bool:
    return (found.stage == "organize" and not found.functions) or found.system in DATABASES


def _tried(found: Any, options: str) -> Tried:
    if found.stage != "organize":
        return Tried(database=found.system)
    if found.works_in != LAKE:
        return Tried(found.system, options)
    return Tried(options=f"engine = '{found.engine}'" if found.warehouse else "")


def stays(program: Program) -> bool:
    """Whether the warehouse was there before, so that what the run makes there has to be dropped by its owner."""
    warehouse = program.warehouses[WAREHOUSE]
    return warehouse.system != LAKE and not warehouse.options.get("managed")


def secret_of(program: Program, values: Mapping[str, Any] | None) -> str:
    """The reference under which the warehouse's secret is to be stored; '' for none. Raises InputError, SecretError."""
    warehouse = program.warehouses[WAREHOUSE]
    reference = str(warehouse.options.get("secret", ""))
    if bool(reference) != (values is not None):
        remedy = "--with \"secret = '…', …\" names the secret, and --secret-file has its values, as JSON"
        raise InputError(f"the warehouse has {'no values for its' if reference else 'no'} secret", remedy=remedy)
    for slice_ in slices_opening(program, warehouse) if values is not None else ():
        if slice_.secret:
            declared(slice_.secret)(warehouse, values)
    return reference
