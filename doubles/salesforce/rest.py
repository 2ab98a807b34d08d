"""The REST resources under `/services/data`: what each answers, as plain functions of the org and the request."""

import re
from urllib.parse import unquote

from doubles.salesforce import describe
from doubles.salesforce.call import VERSIONS, Answer, Call
from doubles.salesforce.cursors import record_json
from doubles.salesforce.errors import SalesforceError, not_found
from doubles.salesforce.org import Org
from doubles.salesforce.values import Stored


def versions(org: Org, call: Call) -> Answer:
    """`GET /services/data`"""
    return Answer([{"label": f"v{one}", "url": f"/services/data/v{one}", "version": one} for one in VERSIONS])


def user_info(org: Org, call: Call) -> Answer:
    """`GET /services/oauth2/userinfo`"""
    return Answer({"user_id": org.user_id, "preferred_username": org.authority.credentials.username})


def resources(org: Org, call: Call) -> Answer:
    """`GET /services/data/vXX.X`"""
    names = ("sobjects", "query", "queryAll", "limits", "jobs", "composite")
    return Answer({name: f"/services/data/{call.version}/{name}" for name in names})


def limits(org: Org, call: Call) -> Answer:
    """`GET …/limits`"""
    used, most = org.traffic.daily_used, org.traffic.daily_limit
    return Answer({
        "DailyApiRequests": {"Max": most, "Remaining": most - used},
        "DailyBulkV2QueryJobs": {"Max": 10_000, "Remaining": 10_000 - len(org.jobs.list()["records"])},
        "DailyBulkV2QueryFileStorageMB": {"Max": 976_562, "Remaining": 976_562},
    })  # fmt: skip


def record_count(org: Org, call: Call) -> Answer:
    """`GET …/limits/recordCount?sObjects=…`, without the records in the recycle bin; of all objects when none are named.

    https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/resources_record_count.htm
    """
    asked = {name.lower() for name in call.query.get("sObjects", "").split(",") if name}
    found = [schema for schema in org.store.objects() if not asked or schema.name.lower() in asked]
    return Answer({"sObjects": [{"count": org.store.count_present(schema), "name": schema.name} for schema in found]})


def describe_global(org: Org, call: Call) -> Answer:
    """`GET …/sobjects`"""
    return Answer(describe.describe_global(org.store.objects(), call.version))


def describe_object(org: Org, call: Call) -> Answer:
    """`GET …/sobjects/<T>/describe`"""
    return Answer(describe.describe_object(org.records.schema(call.path["object"]), call.version))


def basic_information(org: Org, call: Call) -> Answer:
    """`GET …/sobjects/<T>`"""
    return Answer(describe.basic_information(org.records.schema(call.path["object"]), call.version))


def query(org: Org, call: Call) -> Answer:
    """`GET …/query?q=…` and `…/queryAll?q=…`"""
    if "q" not in call.query:
        raise SalesforceError(400, "MALFORMED_QUERY", "A query string has to be specified")
    match = re.search(r"batchSize\s*=\s*(\d+)", call.headers.get("Sforce-Query-Options", ""))
    include_deleted = call.path["kind"].lower() == "queryall"
    batch_size = int(match[1]) if match else None
    page = org.cursors.open(call.query["q"], include_deleted, batch_size, call.version, call.fault.repeat_page)
    return Answer(page)


def query_more(org: Org, call: Call) -> Answer:
    """`GET …/query/<locator>`"""
    return Answer(org.cursors.more(call.path["locator"], call.version, call.fault.repeat_page))


def create_record(org: Org, call: Call) -> Answer:
    """`POST …/sobjects/<T>`"""
    (record_id,) = org.records.insert(call.path["object"], [call.json()], by_client=True)
    return Answer({"id": record_id, "success": True, "errors": []}, 201)


def read_record(org: Org, call: Call) -> Answer:
    """`GET …/sobjects/<T>/<id>`, with `fields` if only some are wanted"""
    return _record(org, call, org.records.get(call.path["object"], call.path["id"]))


def read_by_external_id(org: Org, call: Call) -> Answer:
    """`GET …/sobjects/<T>/<external id field>/<value>`"""
    name, value = call.path["object"], unquote(call.path["value"])
    found = org.records.find_by(name, call.path["field"], value)
    if not found:
        raise not_found()
    return _several(call, found) if len(found) > 1 else _record(org, call, found[0])


def _several(call: Call, found: list[dict[str, Stored]]) -> Answer:
    return Answer([f"/services/data/{call.version}/sobjects/{call.path['object']}/{row['Id']}" for row in found], 300)


def _record(org: Org, call: Call, row: dict[str, Stored]) -> Answer:
    schema = org.records.schema(call.path["object"])
    fields = tuple(schema.fields.values())
    if "fields" in call.query:
        found = [schema.find(name.strip()) for name in call.query["fields"].split(",")]
        fields = tuple(one for one in found if one is not None)
        if len(fields) < len(found):
            message = f"No such column in '{call.query['fields']}' on sobject of type {schema.name}"
            raise SalesforceError(400, "INVALID_FIELD", message)
    return Answer(record_json(schema, fields, row, call.version))


def update_record(org: Org, call: Call) -> Answer:
    """`PATCH …/sobjects/<T>/<id>`"""
    org.records.update(call.path["object"], call.path["id"], call.json(), by_client=True)
    return Answer(status=204)


def delete_record(org: Org, call: Call) -> Answer:
    """`DELETE …/sobjects/<T>/<id>`"""
    org.records.delete(call.path["object"], call.path["id"])
    return Answer(status=204)


def upsert_record(org: Org, call: Call) -> Answer:
    """`PATCH …/sobjects/<T>/<external id field>/<value>`"""
    name, key, value = call.path["object"], call.path["field"], unquote(call.path["value"])
    found = org.records.find_by(name, key, value)
    if len(found) > 1:
        return _several(call, found)
    if found:
        record_id = str(found[0]["Id"])
        org.records.update(name, record_id, call.json(), by_client=True)
        return Answer({"id": record_id, "success": True, "errors": [], "created": False})
    (record_id,) = org.records.insert(name, [{**call.json(), key: value}], by_client=True)
    return Answer({"id": record_id, "success": True, "errors": [], "created": True}, 201)
