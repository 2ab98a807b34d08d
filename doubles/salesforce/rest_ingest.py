"""The Bulk API 2.0 resources under `/services/data/vXX.X/jobs/ingest`, as functions of the org and the request."""

from doubles.salesforce.call import Answer, Call
from doubles.salesforce.errors import SalesforceError
from doubles.salesforce.org import Org


def create_job(org: Org, call: Call) -> Answer:
    """`POST …/jobs/ingest`"""
    return Answer(org.ingest.create(call.json(), call.version))


def read_job(org: Org, call: Call) -> Answer:
    """`GET …/jobs/ingest/<id>`"""
    return Answer(org.ingest.get(call.path["id"]))


def change_job(org: Org, call: Call) -> Answer:
    """`PATCH …/jobs/ingest/<id>` with `{"state": "UploadComplete"}` or `"Aborted"`"""
    return Answer(org.ingest.change(call.path["id"], str(call.json().get("state"))))


def upload(org: Org, call: Call) -> Answer:
    """`PUT …/jobs/ingest/<id>/batches`; 201 without a body"""
    if not call.headers.get("Content-Type", "").startswith("text/csv"):
        raise SalesforceError(400, "API_ERROR", "Content-Type must be text/csv")
    org.ingest.upload(call.path["id"], call.body)
    return Answer(status=201, text="")


def results(org: Org, call: Call) -> Answer:
    """`GET …/jobs/ingest/<id>/successfulResults`, `…/failedResults`, `…/unprocessedrecords`"""
    return Answer(text=org.ingest.results(call.path["id"], call.path["which"]))
