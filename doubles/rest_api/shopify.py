"""Shopify's GraphQL Admin API, by https://shopify.dev/docs/api/admin-graphql: one list a query, of the fields that it names."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

from doubles.rest_api.pages import by_value
from doubles.rest_api.server import Api, Asked, Record, Said, Vendor

TABLES = {"orders": "orders", "products": "products", "productVariants": "product_variants", "customers": "customers"}
QUERY = re.compile(
    r"query \(\$after: String, \$query: String\) \{ (\w+)\(first: (\d+), after: \$after, query: \$query, sortKey: ID\) \{(.*)\} \}"
)
SEARCH = re.compile(r"updated_at:>='([^']+)'")
KEPT = timedelta(days=60)  # of orders, without a scope of its own
Selected = dict[str, Any]


def refused(api: Api, asked: Asked) -> Said | None:
    if asked.headers.get("x-shopify-access-token") != api.token or api.expired:
        return Said(401, {"errors": "[API] Invalid API key or access token (unrecognized login or wrong password)"})
    return None


def error(code: str, message: str) -> Said:
    """https://shopify.dev/docs/api/admin-graphql#status-and-error-codes"""
    return Said(200, {"errors": [{"message": message, "extensions": {"code": code}}]})


def graphql(api: Api, asked: Asked) -> Said:
    match = QUERY.fullmatch(asked.body["query"])
    if not match or match[1] not in TABLES:
        return error("undefinedField", "Field doesn't exist on type 'QueryRoot'")
    root, first, variables = match[1], int(match[2]), asked.body.get("variables") or {}
    table, search = TABLES[root], SEARCH.fullmatch(variables["query"])
    if table in api.denied:
        return error("ACCESS_DENIED", f"Access denied for {root} field. Required access: `read_{root}` access scope.")
    if not search:
        return error("argumentLiteralsIncompatible", "the search is not understood")
    since = datetime.fromisoformat(search[1])
    rows = [row for row in api.rows[table] if datetime.fromisoformat(row["updatedAt"]) >= since]
    if table == "orders":
        rows = [row for row in rows if datetime.fromisoformat(row["createdAt"]) >= api.now() - KEPT]
    size = api.on_page(first, 50, 250)
    found, following = by_value(rows, variables.get("after") or "", size, lambda row: int(row["id"].rpartition("/")[2]))
    wanted = selection(match[3].split())
    told = {
        "nodes": [selected(row, wanted["nodes"]) for row in found],
        "pageInfo": {"hasNextPage": bool(following), "endCursor": following},
    }
    return Said(200, {"data": {root: told}, "extensions": {"cost": {"requestedQueryCost": 12}}})


def selection(words: list[str]) -> Selected:
    """'a b { c }' ▸ {'a': {}, 'b': {'c': {}}}; takes the words until the brace that ends them."""
    found: Selected = {}
    last = ""
    while words:
        word = words.pop(0)
        if word == "{":
            found[last] = selection(words)
        elif word == "}":
            return found
        else:
            found[word], last = {}, word
    return found


def selected(value: Any, wanted: Selected) -> Any:
    if isinstance(value, list):
        return [selected(one, wanted) for one in value]
    if not wanted or value is None:
        return value
    return {name: selected(value.get(name), below) for name, below in wanted.items()}


def record(kind: str, number: int, at: datetime) -> Record:
    money = {"shopMoney": {"amount": "10.00", "currencyCode": "EUR"}}
    said = {
        "title": 'it\'s "new"; né',
        "name": "#1",
        "tags": ["a"],
        "totalPriceSet": money,
        "never_asked": 1,
        "legacyResourceId": "7",
    }
    more = {"customer": {"id": "gid://shopify/Customer/1", "never_asked": 1}, "price": "10.00"}
    return {"id": f"gid://shopify/{kind}/{number + 1}", "createdAt": text(at), "updatedAt": text(at), **said, **more}


def changed(row: Record, at: datetime) -> None:
    row["updatedAt"] = text(at)


def text(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


VENDOR = Vendor(
    routes={("POST", r"/admin/api/2025-10/graphql\.json"): graphql},
    refused=refused,
    limited=lambda _: error("THROTTLED", "Throttled"),
    unknown=Said(404, {"errors": "Not Found"}),
)
