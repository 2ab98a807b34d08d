"""Which resource answers which method and path."""

import re
from collections.abc import Callable

from doubles.salesforce import record_collections, replication, rest, rest_ingest, rest_jobs
from doubles.salesforce.call import VERSIONS, Answer, Call
from doubles.salesforce.errors import SalesforceError, not_found
from doubles.salesforce.org import Org

Handler = Callable[[Org, Call], Answer]
_DATA = r"/services/data/(?P<version>v\d+\.\d)"
_OBJECT = _DATA + r"/sobjects/(?P<object>\w+)"
_JOB = _DATA + r"/jobs/query/(?P<id>\w+)"
_INGEST = _DATA + r"/jobs/ingest/(?P<id>\w+)"

_ROUTES: list[tuple[str, dict[str, Handler]]] = [
    (r"/services/oauth2/userinfo", {"GET": rest.user_info}),
    (r"/services/data", {"GET": rest.versions}),
    (_DATA, {"GET": rest.resources}),
    (_DATA + "/limits", {"GET": rest.limits}),
    (_DATA + "/limits/recordCount", {"GET": rest.record_count}),
    (_DATA + "/sobjects", {"GET": rest.describe_global}),
    (_DATA + "/(?P<kind>query|queryAll)", {"GET": rest.query}),
    (_DATA + "/(?:query|queryAll)/(?P<locator>[\\w-]+)", {"GET": rest.query_more}),
    (_OBJECT, {"GET": rest.basic_information, "POST": rest.create_record}),
    (_OBJECT + "/describe", {"GET": rest.describe_object}),
    (_OBJECT + "/deleted", {"GET": replication.deleted_records}),
    (_OBJECT + "/updated", {"GET": replication.updated_records}),
    (_OBJECT + r"/(?P<id>\w+)", {"GET": rest.read_record, "PATCH": rest.update_record, "DELETE": rest.delete_record}),
    (_OBJECT + r"/(?P<field>\w+)/(?P<value>[^/]+)", {"GET": rest.read_by_external_id, "PATCH": rest.upsert_record}),
    (
        _DATA + "/composite/sobjects",
        {"POST": record_collections.create, "PATCH": record_collections.update_records, "DELETE": record_collections.delete_records},
    ),
    (_DATA + r"/composite/sobjects/(?P<object>\w+)/(?P<field>\w+)", {"PATCH": record_collections.upsert_records}),
    (_DATA + "/jobs/query", {"GET": rest_jobs.list_jobs, "POST": rest_jobs.create_job}),
    (_JOB, {"GET": rest_jobs.read_job, "PATCH": rest_jobs.abort_job, "DELETE": rest_jobs.delete_job}),
    (_JOB + "/results", {"GET": rest_jobs.job_results}),
    (_DATA + "/jobs/ingest", {"POST": rest_ingest.create_job}),
    (_INGEST, {"GET": rest_ingest.read_job, "PATCH": rest_ingest.change_job}),
    (_INGEST + "/batches", {"PUT": rest_ingest.upload}),
    (_INGEST + "/(?P<which>successfulResults|failedResults|unprocessedrecords)", {"GET": rest_ingest.results}),
]
_COMPILED = [(re.compile(pattern), handlers) for pattern, handlers in _ROUTES]


def route(method: str, path: str) -> tuple[Handler, dict[str, str]]:
    """The handler of a request and the parts of its path; a slash at the end does not matter."""
    for pattern, handlers in _COMPILED:
        match = pattern.fullmatch(path.rstrip("/"))
        if match is None:
            continue
        parts = match.groupdict()
        if parts.get("version", "v60.0")[1:] not in VERSIONS:
            raise not_found()
        if method not in handlers:
            message = f"HTTP Method '{method}' not allowed. Allowed are {','.join(handlers)}"
            raise SalesforceError(405, "METHOD_NOT_ALLOWED", message)
        return handlers[method], parts
    raise not_found()
