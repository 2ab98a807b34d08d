"""The double as a running server: in a thread of a test, or in a process of its own."""

import asyncio
import shutil
import socket
import ssl
import tempfile
import threading
from collections.abc import Callable, Iterable
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Self

from aiohttp import web

from doubles.salesforce.certificate import make_certificate
from doubles.salesforce.endpoint import LARGEST_LINE_BYTES, Endpoint
from doubles.salesforce.oauth import Credentials
from doubles.salesforce.org import Org, utc_now
from doubles.salesforce.schema import Field

_HOST = "127.0.0.1"


class SalesforceServer:
    """A Salesforce org on a port of 127.0.0.1, as a context manager.

    `objects` are pairs of an object's name and its fields; `port` 0 takes a free one; `data` keeps the state in that
    directory, else it is gone at the end; `credentials` are made unless given; with `tls` it speaks HTTPS, and the
    PEM file to trust is `certificate`.
    """

    def __init__(
        self,
        objects: Iterable[tuple[str, Iterable[Field]]] = (),
        *,
        port: int = 0,
        data: Path | None = None,
        tls: bool = False,
        now: Callable[[], datetime] = utc_now,
        token_seconds: float = 7200,
        credentials: Credentials | None = None,
    ) -> None:
        self._temporary = None if data else Path(tempfile.mkdtemp(prefix="salesforce-"))
        directory = data or self._temporary
        assert directory is not None
        self.org = Org(directory, now, token_seconds, credentials)
        for name, fields in objects:
            self.org.add_object(name, fields)
        self.certificate = make_certificate(directory) if tls else None
        self._port = port
        self._endpoint = Endpoint(self.org)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="salesforce", daemon=True)
        self._runner: web.AppRunner | None = None

    @property
    def url(self) -> str:
        """Where it listens, such as `http://127.0.0.1:41234`."""
        return self._endpoint.url

    @property
    def credentials(self) -> Credentials:
        """The connected app's id and secret, the user's name, and the key pair in PEM."""
        return self.org.authority.credentials

    def start(self) -> None:
        """Listen; returns when requests are answered. OSError if the port is taken."""
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result()

    async def _listen(self) -> None:
        context = None
        if self.certificate is not None:
            context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            context.load_cert_chain(self.certificate, self.certificate.with_suffix(".key"))
        listener = socket.create_server((_HOST, self._port), backlog=128)
        scheme = "https" if context else "http"
        self._endpoint.url = f"{scheme}://{_HOST}:{listener.getsockname()[1]}"
        self._runner = web.AppRunner(
            self._endpoint.application(),
            access_log=None,
            shutdown_timeout=1,
            handler_cancellation=True,
            max_line_size=LARGEST_LINE_BYTES,
            max_field_size=LARGEST_LINE_BYTES,
        )
        await self._runner.setup()
        await web.SockSite(self._runner, listener, ssl_context=context).start()

    def stop(self) -> None:
        """Stop listening, finish what runs, and close the state."""
        if self._runner is not None:
            asyncio.run_coroutine_threadsafe(self._runner.cleanup(), self._loop).result()
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
        self._loop.close()
        self._endpoint.close()
        self.org.close()
        if self._temporary is not None:
            shutil.rmtree(self._temporary, ignore_errors=True)

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()
