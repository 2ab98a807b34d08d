"""What each slice is made of: files and lines of its folder, of what it shares with its system, and what outside of these names it.

python -m benchmarks.slice_sizes [--json] [--names]

Lines are those that are neither blank nor a comment alone. What names a slice are files in git, by its folder or its id
(`slices/collect/mysql`, `collect.mysql`): code of the product, code of tests, doubles and benchmarks, and all else (pages, lists).
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from slices.registry import installed

ROOT = Path(__file__).parents[1]
TRIED = ("tests", "doubles", "benchmarks", "examples")  # rooms of code that no installation has


@dataclass
class Size:
    """files, lines: of its own code and declarations.  tests: lines of its own tests.

    shared: lines of its folders in `systems/` that no other slice has, and of its dialect's where no other has it.
    product, trials, others: files outside that name it.
    """

    files: int = 0
    lines: int = 0
    shared: int = 0
    tests: int = 0
    product: list[str] = field(default_factory=list)
    trials: list[str] = field(default_factory=list)
    others: list[str] = field(default_factory=list)


def sizes(root: Path = ROOT) -> dict[str, Size]:
    """'collect/mysql' ▸ its size, of the files that git has."""
    files = subprocess.run(["git", "ls-files"], cwd=root, capture_output=True, text=True, check=True).stdout.splitlines()
    declared = {f"{one.stage}/{one.system}": one for one in installed().values()}
    texts = {name: _text(root / name) for name in files if not name.endswith((".lock", "package-lock.json", ".parquet", ".csv"))}
    found = {}
    for name, one in sorted(declared.items()):
        folder, size = f"slices/{name}/", Size()
        others = [other for other in declared.values() if other is not one]
        rooms = [f"systems/{room}/" for room in one.systems if not any(room in other.systems for other in others)]
        dialect = one.capabilities.dialect
        rooms += [] if any(other.capabilities.dialect == dialect for other in others) else [f"language/dialects/{dialect}/"]
        named = re.compile(rf"\b{one.stage}[/.]{one.system}\b")
        for path, text in texts.items():
            if path.startswith(f"{folder}tests/"):
                size.tests += _lines(text)
            elif path.startswith(folder):
                size.files += 1
                size.lines += _lines(text) if path.endswith((".py", ".yaml", ".json")) else 0
            elif path.startswith(tuple(rooms)):
                size.shared += _lines(text) if path.endswith((".py", ".json")) else 0
            elif named.search(text):
                _kind(size, path).append(path)
        found[name] = size
    return found


def _kind(size: Size, path: str) -> list[str]:
    if not path.endswith(".py"):
        return size.others
    return size.trials if path.startswith(TRIED) or "/tests/" in path else size.product


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except (UnicodeDecodeError, FileNotFoundError):
        return ""


def _lines(text: str) -> int:
    return sum(1 for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#"))


def table(found: dict[str, Size], names: bool) -> Iterator[str]:
    yield f"{'':<22}{'files':>6}{'lines':>7}{'shared':>8}{'tests':>7}   named outside: product, trials, others"
    for name, size in found.items():
        outside: Sequence[list[str]] = (size.product, size.trials, size.others)
        yield f"{name:<22}{size.files:>6}{size.lines:>7,}{size.shared:>8,}{size.tests:>7,}" + "".join(
            f"{len(one):>7}" for one in outside
        )
        if names:
            yield from (f"    {path}" for one in outside for path in one)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.slice_sizes", description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--names", action="store_true", help="Name the files outside, too.")
    options = parser.parse_args()
    found = sizes()
    print(json.dumps({n: asdict(s) for n, s in found.items()}, indent=2) if options.json else "\n".join(table(found, options.names)))


if __name__ == "__main__":
    main()
