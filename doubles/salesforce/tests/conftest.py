"""A running double for every test, and clients that are logged in to it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests
from simple_salesforce.api import Salesforce

from doubles.salesforce import Field, SalesforceServer
from doubles.salesforce.oauth import Credentials, make_credentials

ACCOUNT_FIELDS = (
    Field("Industry", "picklist", picklist_values=("Aviation", "Energy")),
    Field("AnnualRevenue", "currency"),
    Field("NumberOfEmployees", "int"),
    Field("Description", "textarea", length=32000),
    Field("BillingAddress", "address"),
    Field("Carrier_Code__c", "string", length=10, external_id=True, unique=True),
    Field("Active__c", "boolean"),
    Field("Founded__c", "date"),
    Field("Audited__c", "datetime"),
    Field("Opens__c", "time"),
    Field("Site__c", "location"),
    Field("ParentId", "reference", reference_to=("Account",)),
)


@dataclass
class Clock:
    """A clock that only moves when it is told to."""

    moment: datetime = datetime(2026, 3, 1, 12, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.moment

    def advance(self, **span: float) -> None:
        self.moment += timedelta(**span)


@dataclass
class Api:
    """Raw requests to a double, with a token."""

    server: SalesforceServer
    session: requests.Session = field(default_factory=requests.Session)

    def log_in(self) -> str:
        form = {
            "grant_type": "client_credentials",
            "client_id": self.server.credentials.client_id,
            "client_secret": self.server.credentials.client_secret,
        }
        response = self.session.post(f"{self.server.url}/services/oauth2/token", data=form, timeout=30)
        token: str = response.json()["access_token"]
        self.session.headers["Authorization"] = f"Bearer {token}"
        return token

    def call(self, method: str, path: str, **options: Any) -> requests.Response:
        return self.session.request(method, f"{self.server.url}/services/data/v60.0{path}", timeout=30, **options)

    def query(self, soql: str, **options: Any) -> requests.Response:
        return self.call("GET", "/query", params={"q": soql}, **options)

    def values(self, soql: str, name: str) -> list[Any]:
        response = self.query(soql)
        assert response.status_code == 200, response.text
        return [record[name] for record in response.json()["records"]]


@pytest.fixture(scope="session")
def credentials() -> Credentials:
    return make_credentials()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def server(credentials: Credentials, clock: Clock) -> Iterator[SalesforceServer]:
    with SalesforceServer([("Account", ACCOUNT_FIELDS)], now=clock, credentials=credentials) as running:
        yield running


@pytest.fixture
def api(server: SalesforceServer) -> Api:
    logged_in = Api(server)
    logged_in.log_in()
    return logged_in


@pytest.fixture
def tls_server(credentials: Credentials) -> Iterator[SalesforceServer]:
    with SalesforceServer([("Account", ACCOUNT_FIELDS)], tls=True, credentials=credentials) as running:
        yield running


class _ToTheDouble(requests.adapters.HTTPAdapter):
    """Takes requests for Salesforce's own hosts to the double, as a DNS entry would."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self._url = url

    def send(self, request: requests.PreparedRequest, *args: Any, **options: Any) -> requests.Response:
        assert request.url is not None
        request.url = request.url.replace("https://login.salesforce.com", self._url)
        request.url = request.url.replace("https://airline.my.salesforce.com", self._url)
        return super().send(request, *args, **options)


@pytest.fixture
def salesforce(tls_server: SalesforceServer) -> Callable[..., Any]:
    """Makes the unmodified client, logging in with the given options."""
    session = requests.Session()
    session.trust_env = False
    session.verify = str(tls_server.certificate)
    for host in ("login", "airline.my"):
        session.mount(f"https://{host}.salesforce.com", _ToTheDouble(tls_server.url))

    def connect(**options: Any) -> Salesforce:
        return Salesforce(session=session, version="60.0", **options)

    return connect
