"""importlib.metadata is imported when more of it is used than sqlglot and duckdb use; and it is the same then."""

from __future__ import annotations

import subprocess
import sys

_SCRIPT = """
import sys
import language, sqlglot, duckdb
assert "email" not in sys.modules, "the import was not put off"
before = [sqlglot.Dialect.get("duckdb"), sqlglot.Dialect.get("no such")]
import importlib.metadata
from importlib.metadata import PackageNotFoundError, entry_points, version
assert duckdb.__version__ == importlib.metadata.version("duckdb") == version("duckdb")
assert duckdb.__version__ == importlib.metadata.distribution("duckdb").version
assert "email" in sys.modules and len(entry_points(group="console_scripts")) > 0
try:
    version("no-such-package")
except PackageNotFoundError:
    print("found")
"""


def test_it_is_put_off_and_then_the_real_one() -> None:
    done = subprocess.run([sys.executable, "-c", _SCRIPT], capture_output=True, text=True, check=False)
    assert done.stdout == "found\n", done.stderr
