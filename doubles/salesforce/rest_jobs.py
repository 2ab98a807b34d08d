"""The Bulk API 2.0 resources under `/services/data/vXX.X/jobs/query`, as functions of the org and the request."""

from doubles.salesforce.call import Answer, Call
from doubles.salesforce.errors import SalesforceError
from doubles.salesforce.org import Org


def create_job(org: Org, call: Call) -> Answer:
    """`POST …/jobs/query`"""
    return Answer(org.jobs.create(call.json(), call.version))


def list_jobs(org: Org, call: Call) -> Answer:
    """`GET …/jobs/query`"""
    return Answer(org.jobs.list())


def read_job(org: Org, call: Call) -> Answer:
    """`GET …/jobs/query/<id>`"""
    return Answer(org.jobs.get(call.path["id"]))


def abort_job(org: Org, call: Call) -> Answer:
    """`PATCH …/jobs/query/<id>`"""
    if call.json().get("state") != "Aborted":
        raise SalesforceError(400, "INVALIDJOBSTATE", "A query job's state can only be changed to Aborted")
    return Answer(org.jobs.abort(call.path["id"]))


def delete_job(org: Org, call: Call) -> Answer:
    """`DELETE …/jobs/query/<id>`"""
    org.jobs.delete(call.path["id"])
    return Answer(status=204)


def job_results(org: Org, call: Call) -> Answer:
    """`GET …/jobs/query/<id>/results`; 204 for a job without a result, 409 for another version than the job's.

    Guide, "Get Results for a Query Job".
    """
    if float(call.version[1:]) != org.jobs.get(call.path["id"])["apiVersion"]:
        raise SalesforceError(409, "API_ERROR", "The API version must be the one that the job was created with")
    most = call.query.get("maxRecords", "")
    if most and (not most.isdigit() or int(most) < 1):
        raise SalesforceError(400, "API_ERROR", f"maxRecords must be a positive number, not {most}")
    page = org.jobs.page(call.path["id"], call.query.get("locator", ""), int(most or 0) or None, call.fault.repeat_page)
    return Answer(status=204) if page is None else Answer(page=page)
