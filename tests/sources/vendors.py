"""The sources whose manifests are Atoll's own, each with a double of its vendor's API: what the suite of all of them is run over."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest

from doubles.rest_api import (
    Api,
    Vendor,
    airtable,
    github,
    google_analytics,
    google_sheets,
    hubspot,
    intercom,
    jira,
    klaviyo,
    notion,
    served,
    shopify,
    slack,
    stripe,
    zendesk,
)
from doubles.rest_api.server import BASE
from shared_metadata.contract.collect import OpenSource
from shared_metadata.program import Mode
from systems.rest.client import RestSource
from systems.rest.declared import declared
from systems.rest.document import document_of

TOKEN = "right-and-secret"
RECORDS = 7
Record = dict[str, Any]


@dataclass(frozen=True)
class Table:
    """One table of a source, as the suite reads it.

    rows: what holds its records at the double.  made, changed: a record of a number as of a moment, and that it changes at one.
    cursor: of a MERGE; '' for REPLACE.  merged: its key.  again: whether a batch reads more than what changed in it.
    place: where in a record its fields are.  besides: what else is there at the vendor's.  twice: a record that changes comes twice.
    fixed: records are made and never change.
    """

    name: str
    rows: str
    made: Callable[[int, datetime], Record]
    changed: Callable[[Record, datetime], None]
    key: str = "id"
    cursor: str = ""
    again: bool = False
    place: tuple[str, ...] = ()
    merged: tuple[str, ...] = ()
    twice: bool = False
    fixed: bool = False
    besides: Callable[[Api, datetime], None] = lambda api, at: None


@dataclass(frozen=True)
class Source:
    """system: its folder.  tables: all that its manifest has, but those `apart`, which tests of their own read.

    secret: the field of the token.  most: records on a page of the double.

    denied: what an error says where a right is missing.  waits: whether the answer to one request too many says for how long.
    later: it is never waited for within a function.
    """

    system: str
    vendor: Vendor
    tables: tuple[Table, ...]
    secret: Callable[[str], Mapping[str, str]]
    options: Mapping[str, Any] = field(default_factory=dict)
    address: str = "api_url"
    most: int = 3
    waits: bool = True
    later: bool = False
    token: str = TOKEN
    apart: tuple[str, ...] = ()


def stripe_table(name: str, cursor: str) -> Table:
    return Table(
        name,
        name,
        partial(stripe.record, name),
        stripe.changed,
        cursor=cursor,
        again=cursor == "read_at",
        fixed=name == "events",
    )


def slack_channels(api: Api, at: datetime) -> None:
    """One that the app is in, and one that it is not in."""
    api.rows["channels"] += [slack.channel(number, at) for number in (1, 2)]


def slack_thread(api: Api, at: datetime) -> None:
    slack_channels(api, at)
    api.rows["messages"].append(slack.message(999, at))


def slack_reply(number: int, at: datetime) -> Record:
    return slack.reply(number, at, THREAD)


def github_pulls(api: Api, at: datetime) -> None:
    """Four pull requests on two pages, of which the others have no reviews."""
    for number in range(4):
        api.rows["acme/shop/pulls"].append(github.pull_request(number, at))
        api.rows.setdefault(f"acme/shop/pulls/{number}/reviews", [])


def google_sheet(api: Api, at: datetime) -> None:
    """One that holds the rows, between two empty ones."""
    titles = {1: "", google_sheets.GID: google_sheets.TITLE, 3: ""}
    api.rows["sheets"] += [google_sheets.sheet(gid, at, title) for gid, title in titles.items()]


SLACK_BEGAN = datetime(2026, 11, 22, 11, 20, tzinfo=UTC)
THREAD = slack.message(999, SLACK_BEGAN)["ts"]
SLACK_MERGE: Mapping[str, Any] = {"key": "ts", "merged": ("channel", "ts"), "cursor": "read_at", "again": True}

GA_MERGE: Mapping[str, Any] = {"changed": google_analytics.changed, "cursor": "read_at", "again": True}


def google_table(name: str, key: str) -> Table:
    return Table(name, name, partial(google_analytics.record, name), key=key, merged=("property", "date", key), **GA_MERGE)


SOURCES = (
    Source(
        "stripe",
        stripe.VENDOR,
        (
            stripe_table("events", "created"),
            stripe_table("subscriptions", ""),
            *(stripe_table(name, "read_at") for name in stripe.TABLES if name not in ("events", "subscriptions")),
        ),
        lambda token: {"api_key": token},
        waits=False,
    ),
    Source(
        "slack",
        slack.VENDOR,
        (
            Table("users", "users", slack.user, slack.changed),
            Table("channels", "channels", slack.channel, slack.changed),
            Table("messages", "messages", slack.message, slack.changed, besides=slack_channels, **SLACK_MERGE),
            Table(
                "replies", "replies", slack_reply, slack.changed, besides=lambda api, _: slack_thread(api, SLACK_BEGAN), **SLACK_MERGE
            ),
        ),
        lambda token: {"token": token},
    ),
    Source(
        "github",
        github.VENDOR,
        (
            Table("labels", "acme/shop/labels", github.label, github.changed),
            Table("issues", "acme/shop/issues", github.issue, github.changed, cursor="updated_at"),
            Table("issue_comments", "acme/shop/issues/comments", github.comment, github.changed, cursor="updated_at"),
            Table("pull_requests", "acme/shop/pulls", github.pull_request, github.changed),
            Table("pull_request_reviews", "acme/shop/pulls/2/reviews", github.review, github.changed, besides=github_pulls),
            Table("releases", "acme/shop/releases", github.release, github.changed),
        ),
        lambda token: {"token": token},
        {"repositories": "acme/shop"},
        apart=("repositories",),
    ),
    Source(
        "hubspot",
        hubspot.VENDOR,
        (
            Table("owners", "owners", hubspot.owner, hubspot.changed),
            *(Table(name, name, partial(hubspot.record, name), hubspot.changed, cursor="modified") for name in hubspot.TABLES),
            *(Table(f"{name}_archived", name, partial(hubspot.archived, name), hubspot.changed) for name in hubspot.TABLES),
        ),
        lambda token: {"access_token": token},
        waits=False,
    ),
    Source(
        "jira",
        jira.VENDOR,
        (
            Table("projects", "projects", jira.project, jira.changed),
            Table("statuses", "statuses", jira.status, jira.changed),
            Table("issue_types", "issue_types", jira.issue_type, jira.changed),
            Table("issue_fields", "issue_fields", jira.issue_field, jira.changed),
            Table("issues", "issues", jira.issue, jira.changed, cursor="updated"),
        ),
        lambda token: {"email": jira.EMAIL, "api_token": token},
        address="url",
    ),
    Source(
        "zendesk",
        zendesk.VENDOR,
        (
            Table("groups", "groups", zendesk.group, zendesk.changed),
            Table("organizations", "organizations", zendesk.organization, zendesk.changed),
            Table("tickets", "tickets", zendesk.ticket, zendesk.changed, cursor="generated_timestamp", twice=True),
            Table("users", "users", zendesk.user, zendesk.changed, cursor="updated_at", twice=True),
        ),
        lambda token: {"email": zendesk.EMAIL, "api_token": token},
        address="url",
    ),
    Source(
        "shopify",
        shopify.VENDOR,
        (
            Table("products", "products", partial(shopify.record, "Product"), shopify.changed, cursor="updatedat"),
            Table("orders", "orders", partial(shopify.record, "Order"), shopify.changed, cursor="updatedat"),
            Table("product_variants", "product_variants", partial(shopify.record, "ProductVariant"), shopify.changed),
            Table("customers", "customers", partial(shopify.record, "Customer"), shopify.changed),
        ),
        lambda token: {"access_token": token},
        address="url",
        waits=False,
    ),
    Source(
        "notion",
        notion.VENDOR,
        (
            Table("users", "users", notion.user, notion.changed),
            Table("pages", "pages", notion.page, notion.changed, cursor="last_edited_time", twice=True),
        ),
        lambda token: {"token": token},
        {"data_sources": notion.SOURCE, "step_days": 3_000},
    ),
    Source(
        "airtable",
        airtable.VENDOR,
        (Table("records", "records", airtable.record, airtable.changed, cursor="read_at", again=True),),
        lambda token: {"token": token},
        {"base": airtable.BASE_ID, "tables": airtable.TABLE},
        later=True,
        waits=False,
    ),
    Source(
        "klaviyo",
        klaviyo.VENDOR,
        (
            Table("lists", "lists", partial(klaviyo.record, "list"), klaviyo.changed),
            Table("metrics", "metrics", partial(klaviyo.record, "metric"), klaviyo.changed),
            Table("profiles", "profiles", partial(klaviyo.record, "profile"), klaviyo.changed, cursor="updated"),
            Table("events", "events", partial(klaviyo.record, "event"), klaviyo.changed, cursor="datetime", fixed=True),
        ),
        lambda token: {"api_key": token},
    ),
    Source(
        "google_analytics",
        google_analytics.VENDOR,
        (
            Table(
                "daily",
                "daily",
                partial(google_analytics.record, "daily"),
                key="active_users",
                merged=("property", "date"),
                **GA_MERGE,
            ),
            *(google_table(name, key) for name, key in {"events": "event_name", "channels": "channel", "pages": "path"}.items()),
        ),
        lambda token: {"client_id": "me", "client_secret": "mine", "refresh_token": token},
        {"properties": google_analytics.PROPERTY, "page_rows": 3, "token_url": f"{BASE}/token"},
        later=True,
        waits=False,
    ),
    Source(
        "google_sheets",
        google_sheets.VENDOR,
        (
            Table("rows", "rows", google_sheets.record, google_sheets.changed, key="key"),
            Table("sheets", "sheets", google_sheets.sheet, google_sheets.retitled, key="gid"),
            Table("sheet_rows", "sheet_rows", google_sheets.record, google_sheets.changed, key="key", besides=google_sheet),
        ),
        lambda token: {"client_id": "me", "client_secret": "mine", "refresh_token": token},
        {"files": google_sheets.FILE, "key_column": "key", "token_url": f"{BASE}/token", "sheets_url": BASE},
        later=True,
        waits=False,
    ),
    Source(
        "intercom",
        intercom.VENDOR,
        (
            Table("admins", "admins", partial(intercom.record, "admin"), intercom.changed),
            Table("tags", "tags", intercom.tag, intercom.changed),
            Table("contacts", "contacts", partial(intercom.record, "contact"), intercom.changed, cursor="updated_at"),
            Table("conversations", "conversations", partial(intercom.record, "conversation"), intercom.changed, cursor="updated_at"),
        ),
        lambda token: {"access_token": token},
        waits=False,
    ),
)
QUICK = ("stripe", "slack")  # of the others the deep suite runs each
QUICK_TABLES = ("events", "charges", "subscriptions", "users", "channels", "messages", "replies")


def cases() -> list[Any]:
    """Each table of each source."""
    return [
        pytest.param(source, table, id=f"{source.system}.{table.name}", marks=() if quick else pytest.mark.deep)
        for source in SOURCES
        for table in source.tables
        for quick in [source.system in QUICK and table.name in QUICK_TABLES]
    ]


def first_tables() -> list[Any]:
    """One table of each source, for what is the same for all."""
    return [
        pytest.param(source, source.tables[0], id=source.system, marks=() if source.system in QUICK else pytest.mark.deep)
        for source in SOURCES
    ]


class Door:
    """What `Collecting` asks of a source."""

    def __init__(self, source: Source, stack: ExitStack, now: Callable[[], datetime]) -> None:
        self.source, self.declaration = source, declared(source.system)
        self.api = Api(source.vendor, source.token, source.most)
        self.api.now = now
        address = stack.enter_context(served(self.api))
        given = {name: value.replace(BASE, address) if isinstance(value, str) else value for name, value in source.options.items()}
        self.options = {**given, source.address: address}
        self.secret: Mapping[str, str] = source.secret(source.token)
        self.incremental: Mapping[str, Any] = {}

    def open_source(self, aws: Any) -> OpenSource:
        document = document_of(self.source.system)
        return lambda connection, secret: RestSource(connection, secret, document, aws, clock=self.api.now)

    def collected_name(self, column: str) -> str:
        return column

    def fill(self, table: Table, at: datetime) -> None:
        """Seven records, a second apart."""
        table.besides(self.api, at)
        made = (table.made(number, at + timedelta(seconds=number)) for number in range(RECORDS))
        self.api.rows[table.rows] += made

    def how(self, table: Table) -> dict[str, Any]:
        """Mode, key and cursor of a flow over a table."""
        if not table.cursor:
            return {"mode": Mode.REPLACE}
        return {"mode": Mode.MERGE, "key": table.merged or (table.key,), "cursor": table.cursor}
