"""Words in a value by which an error's text could be taken for another error, and ways in which it could end a quotation."""

from __future__ import annotations

MARK = "4711-jane"  # in every value, and in no message
_SAID = (
    *("PQ", "FATAL:  ", "ERROR:  ", "canceling statement due to lock timeout", "terminating connection", "deadlock detected"),
    *("server closed the connection", "connection to server", "SSL SYSCALL error: EOF", "Connection refused", "Connection timed out"),
    *("too many clients", "conflict with recovery", "out of shared memory", "snapshot", "dimensions", "certificate", "no encryption"),
    *("GET /a HTTP 503", "HTTP Error", "IO Error: Could not connect error for HTTP GET to ", "Out of Memory Error", "57014", "53200"),
    *("row-level security", "policy for table", "Lake Formation", "Permission Error", "Binder Error", "converting column", "COPY"),
    *(
        "invalid input syntax for type integer",
        "division by zero",
        "expected",
        " RAISE",
        "PL/pgSQL function public.jane() line 1 at RAISE",
    ),
)
_ENDS = (
    *("'", '"', "''", '"" ', "\\", "\\'", "\n", "\r\n", "\n\n", '": ERROR:  terminating connection', "é ß 漢字 😀", "«"),
    *("' to INT64 when casting from source column jane", '"\n\nLINE 1: SELECT jane\n        ^'),
    '"\n\nColumn jane is being converted as type DATE\nThis type was\n* x\n\n  file = /jane\n',
)
WORDS = tuple(
    f"{before}{word}{after}" for word in (*_SAID, *_ENDS) for before, after in (("", MARK), (f"{MARK}\n", f" {MARK}'{MARK}"))
)
