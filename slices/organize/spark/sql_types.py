"""The types of a lake's columns as Spark's SQL writes them.

https://iceberg.apache.org/docs/1.10.0/spark-getting-started/#type-compatibility
"""

from __future__ import annotations

from shared_metadata.contract.parquet.duckdb_session import identifier
from shared_metadata.program.type_names import TypeName, parsed

_SPARK = {
    **{"boolean": "BOOLEAN", "int": "INT", "long": "BIGINT", "float": "FLOAT", "double": "DOUBLE", "string": "STRING"},
    **{"date": "DATE", "timestamp": "TIMESTAMP_NTZ", "timestamptz": "TIMESTAMP", "binary": "BINARY"},
}


def spark_type(type_name: str) -> str:
    """'list<long>' ▸ 'ARRAY<BIGINT>'. Raises KeyError for a type that it cannot write."""
    return _said(parsed(type_name))


def _said(kind: TypeName) -> str:
    if kind.word == "struct":
        return f"STRUCT<{', '.join(f'{identifier(name)}: {_said(part)}' for name, part in kind.named())}>"
    if kind.word in ("list", "map"):
        return f"{'ARRAY' if kind.word == 'list' else 'MAP'}<{', '.join(map(_said, kind.parts))}>"
    return f"DECIMAL({','.join(map(str, kind.sizes))})" if kind.sizes else _SPARK[kind.word]
