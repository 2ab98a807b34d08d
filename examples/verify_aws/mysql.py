"""A MySQL or MariaDB that is given, in which the program is tried."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import pymysql
from pymysql.constants import CLIENT

from examples.verify_aws.database import Shop
from systems.mysql.address import Address


class MysqlShop(Shop):
    """The same in a database of its own, with another one beside it for receipts."""

    system = "mysql"

    @property
    def receipts(self) -> str:
        return f"{self.schema}_atoll"

    @property
    def make(self) -> str:
        moment = "timestamp(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6) ON UPDATE CURRENT_TIMESTAMP(6)"
        return (
            f"CREATE DATABASE {self.schema} CHARACTER SET utf8mb4; CREATE DATABASE {self.receipts} CHARACTER SET utf8mb4;"
            f" CREATE TABLE {self.schema}.orders (id bigint PRIMARY KEY, customer varchar(99) NOT NULL,"
            f" amount decimal(12, 2) NOT NULL, updated_at {moment}, KEY (updated_at));"
            f" CREATE TABLE {self.schema}.customer_totals (customer varchar(99) PRIMARY KEY, orders bigint, amount decimal(14, 2))"
        )

    @property
    def rows(self) -> str:
        numbers = "WITH RECURSIVE r AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM r WHERE n < 1000)"
        return (
            f"INSERT INTO {self.schema}.orders (id, customer, amount) {numbers} SELECT n, concat('customer ', n % 7), n * 1.25 FROM r"
        )

    @property
    def change(self) -> str:
        return f"UPDATE {self.schema}.orders SET amount = amount + 1 WHERE id % 3 = 0"

    @property
    def source(self) -> str:
        totals = "customer, count(*) AS orders, CAST(sum(amount) AS decimal(14, 2)) AS amount"
        return f"SELECT {totals} FROM {self.schema}.orders GROUP BY 1"

    @property
    def drop(self) -> str:
        return f"DROP DATABASE IF EXISTS {self.schema}; DROP DATABASE IF EXISTS {self.receipts}"

    def program(self, text: str) -> str:
        """The program over this system, of which the secret names the database."""
        text = text.replace(
            "TO postgres WITH (secret = 'verify')", f"TO mysql WITH (secret = 'verify', receipts_schema = '{self.receipts}')"
        )
        return text.replace("shop.public.", "shop.")


class GivenMysql:
    """One that is there, and stays; whoever the URL names makes and drops databases in it.

    url: mysql://user:password@host:port/?sslmode=verify-full&sslrootcert=FILE, whose user reads and publishes, too.
    """

    def __init__(self, url: str) -> None:
        self._url = urlsplit(url)
        self.shop: Shop = MysqlShop.of_this_run()

    def make(self, undo: ExitStack) -> None: ...

    def secret(self) -> Mapping[str, Any]:
        where, more = self._url, dict(parse_qsl(self._url.query))
        if "sslrootcert" in more:
            more["sslrootcert"] = Path(more["sslrootcert"]).read_text()
        user = {"username": unquote(where.username or ""), "password": unquote(where.password or "")}
        return {"host": where.hostname, "port": where.port or 3306, "dbname": self.shop.schema, **user, **more}

    def execute(self, sql: str) -> None:
        with self._opened() as session, session.cursor() as cursor:
            cursor.execute(sql)
            while cursor.nextset():  # raises what a later statement failed with
                pass

    def rows(self, query: str) -> Any:
        with self._opened() as session, session.cursor() as cursor:
            cursor.execute(f"SELECT customer, orders, CAST(amount AS char) FROM ({query}) AS t ORDER BY customer")
            return [list(row) for row in cursor.fetchall()]

    def _opened(self) -> Any:
        at = Address.model_validate(self.secret())
        return pymysql.connect(
            host=at.host,
            port=at.port,
            user=at.username,
            password=at.password.encode(),  # PyMySQL would take a text for Latin-1
            charset="utf8mb4",
            autocommit=True,
            client_flag=CLIENT.MULTI_STATEMENTS,
            **at.encryption(),
        )
