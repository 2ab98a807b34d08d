"""Stripe's API, by https://docs.stripe.com/api: lists newest first, after a record; the time of creation alone as a filter."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from doubles.rest_api.pages import after
from doubles.rest_api.server import Api, Asked, Record, Said, Vendor

TABLES = (
    *("balance_transactions", "charges", "customers", "disputes", "events", "invoices", "payment_intents", "payouts", "prices"),
    *("products", "refunds", "subscriptions"),
)
KEPT_SECONDS = 30 * 86_400  # https://docs.stripe.com/api/events


def error(status: int, kind: str, message: str, **more: str) -> Said:
    return Said(status, {"error": {"type": kind, "message": message, **more}})


def refused(api: Api, asked: Asked) -> Said | None:
    """https://docs.stripe.com/api/errors"""
    if asked.headers.get("authorization") != f"Bearer {api.token}":
        return error(401, "invalid_request_error", "Invalid API Key provided: sk_live_****")
    if api.expired:
        return error(401, "invalid_request_error", "Expired API Key provided: sk_live_****", code="api_key_expired")
    if "stripe-version" not in asked.headers:
        return error(400, "invalid_request_error", "this double asks for a version")
    if asked.path.rpartition("/")[2] in api.denied:
        return error(403, "invalid_request_error", "The provided key 'rk_live_****' does not have the required permissions.")
    return None


def listed(api: Api, asked: Asked, table: str) -> Said:
    """https://docs.stripe.com/api/pagination"""
    rows = sorted(api.rows[table], key=lambda row: (row["created"], row["id"]), reverse=True)
    for name, holds in (("created[gte]", int.__ge__), ("created[lte]", int.__le__)):
        if edge := asked.one(name):
            rows = [row for row in rows if holds(row["created"], int(edge))]
    if table == "events":
        rows = [row for row in rows if row["created"] > api.now().timestamp() - KEPT_SECONDS]
    if table == "subscriptions" and asked.one("status") != "all":  # canceled ones are left out by itself
        rows = [row for row in rows if row["status"] != "canceled"]
    page = after(rows, asked.one("starting_after"), api.on_page(asked.one("limit"), 10, 100))
    if page is None:
        return error(400, "invalid_request_error", "No such object", code="resource_missing", param="starting_after")
    return Said(200, {"object": "list", "url": f"/v1/{table}", "data": page[0], "has_more": page[1]})


def record(table: str, number: int, at: datetime) -> Record:
    """A record as it is made."""
    created = int(at.timestamp())
    found: dict[str, Any] = {"id": f"{table[:4]}_{number:06d}", "object": table[:-1], "created": created, "livemode": True}
    if table == "events":
        held = {"object": {"id": f"cus_{number:06d}", "object": "customer", "name": "Ada"}}
        return {**found, "type": "customer.updated", "api_version": "2025-08-27.basil", "data": held, "request": {"id": None}}
    more: Record = {"status": "active", "currency": "eur", "metadata": {"order": "7"}, "description": 'it\'s "new"; né'}
    if table not in ("products", "prices", "subscriptions"):
        more["amount"] = 1_000 + number
    return {**found, **more}


def changed(row: Record, at: datetime) -> None:
    """Changes a record as somebody does there: no field says when."""
    row["description"] = f"changed {at:%H:%M}"


VENDOR = Vendor(
    routes={("GET", f"/v1/(?P<table>{'|'.join(TABLES)})"): listed},
    refused=refused,
    limited=lambda _: Said(429, {"error": {"code": "rate_limit"}}, {"Stripe-Rate-Limited-Reason": "global-rate"}),
    unknown=error(404, "invalid_request_error", "Unrecognized request URL"),
)
