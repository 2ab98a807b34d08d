"""A way to a PostgreSQL that can fall silent: it takes what is sent and answers nothing, as one that is stopped or swapped out."""

from __future__ import annotations

import contextlib
import socket
import threading


class Way:
    """Listens on a port of its own and carries bytes to and from a server's socket until `silence`; `close` ends every session."""

    def __init__(self, server: str) -> None:
        self._server, self._silent, self._sockets = server, threading.Event(), list[socket.socket]()
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._sockets.append(self._listening)
        self.port: int = self._listening.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def silence(self) -> None:
        self._silent.set()

    def speak(self) -> None:
        """From here on new sessions are answered; the others stay silent."""
        self._silent = threading.Event()

    def close(self) -> None:
        for each in self._sockets:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listening.accept()
            except OSError:
                return
            server = socket.socket(socket.AF_UNIX)
            server.connect(self._server)
            self._sockets += [client, server]
            threading.Thread(target=self._carry, args=(client, server, self._silent), daemon=True).start()
            threading.Thread(target=self._carry, args=(server, client, self._silent), daemon=True).start()

    def _carry(self, source: socket.socket, target: socket.socket, silent: threading.Event) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                if not silent.is_set():
                    target.sendall(data)
            target.shutdown(socket.SHUT_RDWR)
