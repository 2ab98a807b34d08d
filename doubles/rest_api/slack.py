"""Slack's Web API, by https://docs.slack.dev/reference/methods: errors in an answer 200, messages by when they were posted."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from doubles.rest_api.pages import by_value
from doubles.rest_api.server import Api, Asked, Record, Said, Vendor

CHANNEL, OTHER = "C0001", "C0002"  # the app is in the former
SCOPES = {"users": "users:read", "channels": "channels:read", "messages": "channels:history", "replies": "channels:history"}


def ok(**found: Any) -> Said:
    return Said(200, {"ok": True, **found})


def error(code: str, **more: str) -> Said:
    return Said(200, {"ok": False, "error": code, **more})


def refused(api: Api, asked: Asked) -> Said | None:
    """https://docs.slack.dev/apis/web-api/#responses"""
    if asked.headers.get("authorization") != f"Bearer {api.token}":
        return error("invalid_auth")
    if api.expired:
        return error("token_expired")
    table = {"users.list": "users", "conversations.list": "channels", "conversations.history": "messages"}
    missing = table.get(asked.path.rpartition("/")[2], "replies")
    return error("missing_scope", needed=SCOPES[missing], provided="chat:write") if missing in api.denied else None


def paged(api: Api, asked: Asked, name: str, rows: list[Record], order: Any, **more: Any) -> Said:
    """https://docs.slack.dev/apis/web-api/pagination"""
    found, following = by_value(rows, asked.one("cursor"), api.on_page(asked.one("limit"), 100, 999), order)
    return ok(**{name: found}, response_metadata={"next_cursor": following}, **more)


def users(api: Api, asked: Asked) -> Said:
    return paged(api, asked, "members", api.rows["users"], lambda row: row["id"])


def channels(api: Api, asked: Asked) -> Said:
    kinds = asked.one("types", "public_channel").split(",")
    wanted = [row for row in api.rows["channels"] if ("private_channel" if row["is_private"] else "public_channel") in kinds]
    return paged(api, asked, "channels", wanted, lambda row: row["id"])


def history(api: Api, asked: Asked) -> Said:
    """What was posted after `oldest`, newest first, and no replies to it."""
    if not _is_in(api, asked):
        return error("not_in_channel")
    after = float(asked.one("oldest", "0"))
    rows = [row for row in api.rows["messages"] if row["channel"] == asked.one("channel") and float(row["ts"]) > after]
    begun = {row["thread_ts"] for row in api.rows["replies"]}
    told = [{**row, **({"thread_ts": row["ts"], "reply_count": 1} if row["ts"] in begun else {})} for row in rows]
    sent = [{name: value for name, value in row.items() if name != "channel"} for row in told]
    return paged(api, asked, "messages", sent, lambda row: 9_999_999_999 - float(row["ts"]), has_more=False)


def replies(api: Api, asked: Asked) -> Said:
    """A thread, what began it first."""
    if not _is_in(api, asked):
        return error("not_in_channel")
    thread = asked.one("ts")
    first = [row for row in api.rows["messages"] if row["ts"] == thread]
    if not first:
        return error("thread_not_found")
    rows = [{**row, "thread_ts": thread} for row in first] + [row for row in api.rows["replies"] if row["thread_ts"] == thread]
    sent = [{name: value for name, value in row.items() if name != "channel"} for row in rows]
    return paged(api, asked, "messages", sent, lambda row: row["ts"])


def _is_in(api: Api, asked: Asked) -> bool:
    return any(row["id"] == asked.one("channel") and row["is_member"] for row in api.rows["channels"])


def user(number: int, at: datetime) -> Record:
    return {
        "id": f"U{number:04d}",
        "team_id": "T1",
        "name": f"ada{number}",
        "deleted": False,
        "is_bot": False,
        "updated": int(at.timestamp()),
        "profile": {"real_name": 'Ada "A"'},
    }


def channel(number: int, at: datetime) -> Record:
    said = {"name": f"c{number}", "is_private": False, "is_archived": False, "is_member": number == 1, "num_members": 3}
    return {"id": f"C{number:04d}", "created": int(at.timestamp()), "topic": {"value": "all"}, **said}


def message(number: int, at: datetime) -> Record:
    ts = f"{int(at.timestamp())}.{number:06d}"
    return {
        "channel": CHANNEL,
        "ts": ts,
        "type": "message",
        "user": "U0001",
        "text": 'it\'s "new"; né',
        "reactions": [{"name": "+1"}],
    }


def reply(number: int, at: datetime, thread: str) -> Record:
    return {**message(number, at), "thread_ts": thread, "parent_user_id": "U0001"}


def changed(row: Record, at: datetime) -> None:
    row["text"], row["edited"] = "changed", {"ts": str(at.timestamp())}
    if "real_name" in row.get("profile", {}):
        row["real_name"] = f"Ada {at:%H%M}"


VENDOR = Vendor(
    routes={
        ("GET", "/users.list"): users,
        ("GET", "/conversations.list"): channels,
        ("GET", "/conversations.history"): history,
        ("GET", "/conversations.replies"): replies,
    },
    refused=refused,
    limited=lambda seconds: Said(429, {"ok": False, "error": "ratelimited"}, {"Retry-After": str(seconds)}),
    unknown=error("unknown_method"),
)
