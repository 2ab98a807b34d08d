"""Where a query's results go, as its workgroup or whoever starts it says, and what is in the way of that.

https://docs.aws.amazon.com/athena/latest/ug/workgroups-settings-override.html
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from botocore.exceptions import ClientError

from doubles.athena.errors import QueryFailed, Refused, invalid
from doubles.athena.files import Caller
from doubles.athena.lake import permitted


def location_of(body: Mapping[str, Any], name: str, configuration: Mapping[str, Any]) -> str:
    """Where results go: the workgroup's place where it is enforced, which it is unless it says otherwise."""
    own = (configuration.get("ResultConfiguration") or {}).get("OutputLocation")
    asked = (body.get("ResultConfiguration") or {}).get("OutputLocation")
    enforced = configuration.get("EnforceWorkGroupConfiguration", name != "primary")
    location = (own or asked) if str(enforced).lower() == "true" else (asked or own)
    if not location:
        raise invalid(
            "No output location provided. An output location is required either through the Workgroup result configuration "
            "setting or as an API input."
        )
    if not str(location).startswith("s3://"):
        raise invalid(f"outputLocation is not a valid S3 path: {location}")
    return str(location)


def verify(location: str, caller: Caller) -> None:
    bucket = location.removeprefix("s3://").partition("/")[0]
    try:
        caller.client("s3").get_bucket_location(Bucket=bucket)
    except ClientError:
        raise invalid(f"Unable to verify/create output bucket {bucket}") from None


def stored(execution: Mapping[str, Any], caller: Caller) -> str:
    """The result's file, which whoever asks for results must be allowed to read."""
    bucket, _, key = execution["ResultConfiguration"]["OutputLocation"].removeprefix("s3://").partition("/")
    try:
        with permitted():
            return str(caller.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read().decode())
    except QueryFailed as failed:
        raise Refused("AccessDeniedException", str(failed)) from None
    except ClientError:
        raise invalid(f"Could not find results: s3://{bucket}/{key}") from None
