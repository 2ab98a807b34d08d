"""`python -m doubles.salesforce`: the double as a process of its own, until it is interrupted."""

import argparse
import json
import signal
import threading
from pathlib import Path

from doubles.salesforce import SalesforceServer
from doubles.salesforce.admin import load_schema


def main() -> None:
    """Start the server, print its URL as one line, and wait for an interrupt or a termination."""
    parser = argparse.ArgumentParser(prog="python -m doubles.salesforce", description=main.__doc__)
    parser.add_argument("--port", type=int, default=0, help="port on 127.0.0.1; 0 takes a free one (the default)")
    parser.add_argument("--data", type=Path, help="directory that keeps the state; without it the state is temporary")
    parser.add_argument("--schema", type=Path, help="JSON file with a list of objects to create if they are not there")
    parser.add_argument("--tls", action="store_true", help="speak HTTPS; the certificate is DIR/server.crt")
    parser.add_argument("--token-seconds", type=float, default=7200, help="how long an unused access token lives")
    options = parser.parse_args()
    stopped = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopped.set())
    server = SalesforceServer(port=options.port, data=options.data, tls=options.tls, token_seconds=options.token_seconds)
    if options.schema:
        load_schema(server.org, json.loads(options.schema.read_text()))
    with server:
        print(json.dumps({"url": server.url, "certificate": str(server.certificate or "")}), flush=True)
        stopped.wait()


if __name__ == "__main__":
    main()
