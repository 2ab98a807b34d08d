"""The clients of whoever runs queries, and the lake's files by them: each is made once and used by all threads."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import boto3
import botocore.session
from botocore.loaders import create_loader
from pyiceberg.io.fsspec import FsspecFileIO
from s3fs import S3FileSystem

_CALLERS = 64
_models = create_loader()  # of the services, which each session would read anew


@dataclass(frozen=True)
class Caller:
    """By whose rights a query runs."""

    access_key: str
    secret_key: str
    token: str | None
    region: str

    def client(self, service: str) -> Any:
        return _client(self, service)

    def properties(self) -> dict[str, str]:
        """What pyiceberg is told of the caller."""
        token = {"s3.session-token": self.token} if self.token else {}
        return {
            "py-io-impl": f"{SharedFiles.__module__}.{SharedFiles.__name__}",
            "s3.region": self.region,
            "s3.access-key-id": self.access_key,
            "s3.secret-access-key": self.secret_key,
            **token,
        }


@lru_cache(maxsize=_CALLERS)
def _client(caller: Caller, service: str) -> Any:
    session = botocore.session.get_session()
    session.register_component("data_loader", _models)
    keys = (caller.access_key, caller.secret_key, caller.token)
    return boto3.Session(*keys, region_name=caller.region, botocore_session=session).client(service)  # type: ignore[call-overload]


class SharedFiles(FsspecFileIO):
    """S3 by the properties' keys; pyiceberg's own makes a client for each thread."""

    def get_fs(self, scheme: str, hostname: str | None = None) -> Any:
        names = ("s3.access-key-id", "s3.secret-access-key", "s3.session-token", "s3.region")
        return _file_system(*(self.properties.get(name) for name in names))


@lru_cache(maxsize=_CALLERS)
def _file_system(key: str, secret: str, token: str | None, region: str) -> Any:
    keys = {"key": key, "secret": secret, "token": token}
    options = {"skip_instance_cache": True, "use_listings_cache": False, "client_kwargs": {"region_name": region}}
    return S3FileSystem(**keys, **options)
