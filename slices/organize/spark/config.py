"""The options of `CREATE WAREHOUSE … USING iceberg WITH (engine = 'spark', …)`: the lake's."""

from systems.iceberg.config import Config

__all__ = ["Config"]
