"""An answer whose headers were cut off at any byte is never taken for one without a body."""

from __future__ import annotations

import socket
import threading

import pytest
import urllib3

from shared_metadata.contract.cut_answers import says_where_it_ends

WHOLE = (
    b"HTTP/1.1 200 OK\r\nDate: Mon, 30 Nov 2026 00:00:00 GMT\r\nContent-Type: text/csv\r\nContent-Length: 4\r\n\r\na\n1\n",
    b"HTTP/1.1 200 OK\r\nContent-Type: text/csv\r\nTransfer-Encoding: chunked\r\n\r\n4\r\na\n1\n\r\n0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Type: text/csv\r\nConnection: close\r\n\r\na\n1\n",
    b"HTTP/1.0 200 OK\r\nContent-Type: text/csv\r\n\r\na\n1\n",
)


def body_of(answered: bytes) -> bytes | None:
    """None where it was refused."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            client, _ = server.accept()
            with client:
                client.recv(1 << 16)
                client.sendall(answered)

        threading.Thread(target=answer, daemon=True).start()
        with urllib3.PoolManager(retries=False) as pool:
            try:
                found = pool.request("GET", f"http://127.0.0.1:{server.getsockname()[1]}/", timeout=10)
            except urllib3.exceptions.HTTPError:
                return None
            return found.data if says_where_it_ends(found) else None


@pytest.mark.parametrize("answered", WHOLE)
def test_a_whole_answer_has_its_body(answered: bytes) -> None:
    assert body_of(answered) == b"a\n1\n"


@pytest.mark.parametrize("at", range(1, len(WHOLE[0]), 9))
def test_one_that_is_cut_off_is_refused(at: int) -> None:
    assert body_of(WHOLE[0][:at]) is None


def test_one_that_has_no_body_is_whole() -> None:
    assert body_of(b"HTTP/1.1 204 No Content\r\n\r\n") == b""
