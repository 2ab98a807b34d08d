"""A warehouse in Snowflake: its statements, through the SQL API."""

from __future__ import annotations

from shared_metadata.contract.runtime.services import Services
from shared_metadata.program import Warehouse
from slices.organize.snowflake.api import SnowflakeApi
from slices.organize.snowflake.config import Config, Key
from slices.organize.snowflake.logic import SnowflakeSql
from slices.organize.snowflake.service import SnowflakeService
from slices.organize.snowflake.slice import SLICE
from systems.sql_warehouse.driver import SqlWarehouseDriver


def service_of(warehouse: Warehouse, services: Services, place: str) -> SnowflakeService:
    """Raises DefinitionError for wrong options, and SecretError."""
    config = Config.of(warehouse)
    key = Key.read(services.secret(config.secret, place=place), config.secret, place)
    where = {name: getattr(config, name).upper() for name in ("database", "role", "warehouse")}
    api = SnowflakeApi(config.account, key, config.secret, place)
    return SnowflakeService(api, where, 60.0 * config.statement_minutes, place, config.credit_price)


class SnowflakeDriver(SqlWarehouseDriver):
    """See shared_metadata.contract.organize.Driver."""

    widens = SLICE.capabilities.widens

    def __init__(self, warehouse: Warehouse, services: Services) -> None:
        config = Config.of(warehouse)
        super().__init__(warehouse, services, config)
        self.sql = SnowflakeSql(config.stage)

    def service(self, place: str) -> SnowflakeService:
        return service_of(self._warehouse, self._services, place)
