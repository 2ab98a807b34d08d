"""The airline's CRM: carriers and airports as Accounts with Opportunities, in the project's Salesforce double."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import requests

from examples.airline import flights

OBJECTS = [
    {
        "name": "Account",
        "fields": [
            {"name": "Name", "type": "string", "nillable": False},
            {"name": "Type", "type": "picklist", "picklist_values": ["Airline", "Airport"]},
            {"name": "Website", "type": "url"},
            {"name": "Carrier_Code__c", "type": "string", "length": 2},
            {"name": "Airport_Code__c", "type": "string", "length": 3},
        ],
    },
    {
        "name": "Opportunity",
        "fields": [
            {"name": "Name", "type": "string", "nillable": False},
            {"name": "AccountId", "type": "reference", "reference_to": ["Account"]},
            {"name": "StageName", "type": "picklist", "picklist_values": ["Prospecting", "Negotiation", "Closed Won"]},
            {"name": "Amount", "type": "currency"},
            {"name": "Probability", "type": "percent"},
            {"name": "CloseDate", "type": "date", "nillable": False},
            {"name": "Description", "type": "textarea", "length": 32000},
        ],
    },
]
STAGES = ("Prospecting", "Negotiation", "Closed Won")


@dataclass(frozen=True)
class Crm:
    """The running double: a process of its own that keeps its data on disk."""

    url: str
    certificate: str
    pid: int

    def credentials(self) -> dict[str, Any]:
        return dict(self._call("GET", "credentials"))

    def secret(self) -> Mapping[str, Any]:
        """The JSON that the connection `crm` finds in Secrets Manager."""
        known = self.credentials()
        return {
            "client_id": known["client_id"],
            "client_secret": known["client_secret"],
            "login_url": self.url,
            "ca_certificate": Path(self.certificate).read_text(),
        }

    def authorize(self) -> str:
        """The refresh token of a new grant, which is replaced at each use."""
        return str(self._call("POST", "authorizations", {"rotates": True})["refresh_token"])

    def expire_tokens(self) -> None:
        """Every session ends."""
        self._call("POST", "expire-tokens", {})

    def objects(self) -> list[str]:
        return [entry["name"] for entry in self._call("GET", "objects")]

    def add_objects(self) -> None:
        self._call("POST", "objects", OBJECTS)

    def insert(self, name: str, rows: list[dict[str, Any]]) -> list[str]:
        """The new records' ids."""
        return list(self._call("POST", f"objects/{name}/rows", rows)["ids"])

    def client(self) -> Any:
        """An unmodified simple-salesforce client, as any other application of the airline would use."""
        from simple_salesforce import Salesforce

        known = self.credentials()
        form = {
            "grant_type": "client_credentials",
            "client_id": known["client_id"],
            "client_secret": known["client_secret"],
        }
        session = requests.Session()
        session.verify, session.trust_env = self.certificate, False
        token = session.post(f"{self.url}/services/oauth2/token", data=form, timeout=30).json()
        return Salesforce(instance_url=self.url, session_id=token["access_token"], version="62.0", session=session)

    def _call(self, method: str, path: str, body: Any = None) -> Any:
        answer = requests.request(method, f"{self.url}/double/{path}", json=body, timeout=120, verify=self.certificate)
        answer.raise_for_status()
        return answer.json()


def up(folder: Path) -> Crm:
    """Starts the CRM in the background, with its data in `folder`, unless it runs already."""
    folder.mkdir(parents=True, exist_ok=True)
    record = folder / "process.json"
    if record.exists():
        crm = Crm(**json.loads(record.read_text()))
        if _runs(crm):
            return crm
    port = (record.exists() and json.loads(record.read_text())["url"].rsplit(":", 1)[1]) or "0"
    log = (folder / "server.log").open("a")
    process = subprocess.Popen(
        [sys.executable, "-m", "doubles.salesforce", "--port", port, "--data", str(folder / "data"), "--tls"],
        stdout=subprocess.PIPE,
        stderr=log,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line:
        raise RuntimeError(f"the CRM did not start; see {folder / 'server.log'}")
    started = json.loads(line)
    crm = Crm(started["url"], str(Path(started["certificate"]).resolve()), process.pid)
    record.write_text(json.dumps(vars(crm)))
    return crm


def down(folder: Path) -> None:
    """Stops it; its data stays."""
    record = folder / "process.json"
    if record.exists():
        crm = Crm(**json.loads(record.read_text()))
        if _runs(crm):
            os.kill(crm.pid, signal.SIGTERM)


def load(crm: Crm) -> dict[str, int]:
    """Fills the CRM if it is empty; the rows of each object either way."""
    if "Account" not in crm.objects():
        crm.add_objects()
        accounts = _accounts()
        ids = crm.insert("Account", accounts)
        crm.insert("Opportunity", _opportunities(ids))
    client = crm.client()
    return {name: client.query(f"SELECT COUNT() FROM {name}")["totalSize"] for name in ("Account", "Opportunity")}


def change(crm: Crm) -> list[str]:
    """A busy minute in sales, through the real API; what was done."""
    client = crm.client()
    won = client.query("SELECT Id, Amount FROM Opportunity WHERE StageName = 'Negotiation' ORDER BY Id LIMIT 40")["records"]
    for record in won:
        won_values = {"StageName": "Closed Won", "Amount": float(record["Amount"]) + 250}
        client.Opportunity.update(record["Id"], won_values)
    lost = client.query("SELECT Id FROM Opportunity WHERE StageName = 'Prospecting' ORDER BY Id LIMIT 30")["records"]
    for record in lost:
        client.Opportunity.delete(record["Id"])
    skywest = client.query("SELECT Id FROM Account WHERE Carrier_Code__c = 'OO'")["records"]
    if skywest:
        client.Account.delete(skywest[0]["Id"])
    else:
        client.Account.create({"Name": "SkyWest Airlines Inc.", "Type": "Airline", "Carrier_Code__c": "OO"})
    united = client.query("SELECT Id FROM Account WHERE Carrier_Code__c = 'UA'")["records"][0]["Id"]
    refit = {"Name": "Lounge refit", "AccountId": united, "StageName": "Negotiation", "Amount": 1200, "CloseDate": "2026-12-31"}
    client.Opportunity.create(refit)
    return [
        f"{len(won)} opportunities won, {len(lost)} lost and deleted, 1 new",
        "the account of SkyWest deleted" if skywest else "the account of SkyWest opened again",
    ]


def _runs(crm: Crm) -> bool:
    try:
        return "doubles.salesforce" in " ".join(psutil.Process(crm.pid).cmdline())
    except psutil.Error:
        return False


def _accounts() -> list[dict[str, Any]]:
    airlines = [
        {"Name": row["name"], "Type": "Airline", "Carrier_Code__c": row["carrier"]} for row in flights.table("airlines").to_pylist()
    ]
    airports = [
        {"Name": row["name"], "Type": "Airport", "Airport_Code__c": row["faa"]} for row in flights.table("airports").to_pylist()
    ]
    return airlines + airports


def _opportunities(accounts: list[str]) -> list[dict[str, Any]]:
    return [
        {
            "Name": f"Contract {number}-{turn}",
            "AccountId": account,
            "StageName": STAGES[(number + turn) % 3],
            "Amount": 1000 + 37 * number + 250 * turn,
            "Probability": (10, 50, 100)[(number + turn) % 3],
            "CloseDate": f"2026-{1 + number % 12:02d}-{1 + turn:02d}",
            "Description": f'Terms «{turn}», agreed\nwith the account\'s "owner".',
        }
        for number, account in enumerate(accounts)
        for turn in range(1 + number % 4)
    ]
