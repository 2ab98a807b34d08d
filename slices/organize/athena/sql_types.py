"""The types of a lake's columns as Athena's SQL writes them.

https://docs.aws.amazon.com/athena/latest/ug/querying-iceberg-supported-data-types.html
"""

from __future__ import annotations

from shared_metadata.contract.parquet.duckdb_session import identifier
from shared_metadata.program.type_names import TypeName, parsed

_ATHENA = {
    **{"boolean": "boolean", "int": "integer", "long": "bigint", "float": "real", "double": "double", "string": "varchar"},
    **{"date": "date", "timestamp": "timestamp(6)", "timestamptz": "timestamp(6) with time zone", "binary": "varbinary"},
}


def athena_type(type_name: str) -> str:
    """'list<long>' ▸ 'array(bigint)'. Raises KeyError for a type that it cannot write."""
    return _said(parsed(type_name))


def _said(kind: TypeName) -> str:
    if kind.word == "struct":
        return f"row({', '.join(f'{identifier(name)} {_said(part)}' for name, part in kind.named())})"
    if kind.word in ("list", "map"):
        return f"{'array' if kind.word == 'list' else 'map'}({', '.join(map(_said, kind.parts))})"
    return f"decimal({','.join(map(str, kind.sizes))})" if kind.sizes else _ATHENA[kind.word]
