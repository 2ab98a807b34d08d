"""Fuzzes the compiler and the formatter for a while: python -m tests.language.fuzz --seconds 60 [--seed N] [--kind grammar]

Each text is answered in a process that may crash or hang; what it was working on is kept as tests/language/corpus/found_<seed>.sql.
"""

from __future__ import annotations

import argparse
import faulthandler
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.language.generated import KINDS

CORPUS = Path(__file__).parent / "corpus"
DEADLINE_SECONDS = 30  # for one text
BATCH = 200  # texts that one process answers


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=None, help="of the first text; the next one has the next number")
    parser.add_argument("--kind", choices=[*KINDS], action="append")
    parser.add_argument("--answer", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    kinds = arguments.kind or [*KINDS]
    seed = arguments.seed if arguments.seed is not None else int(time.time())
    if arguments.answer:
        return answer(seed, kinds, arguments.answer, arguments.seconds)
    print(f"seed {seed}, {arguments.seconds:.0f} seconds of {', '.join(kinds)}", flush=True)
    until, found, first = time.monotonic() + arguments.seconds, 0, seed
    while time.monotonic() < until:
        following, said = _batch(seed, kinds, until - time.monotonic())
        if said:
            found += 1
            print(f"\nseed {following - 1}: {said}", flush=True)
        seed = following
    print(f"{seed - first} texts, {found} failures")
    return 1 if found else 0


def _batch(seed: int, kinds: list[str], seconds: float) -> tuple[int, str]:
    """The seed after the last text that was answered, and what was wrong with that one, if anything."""
    with tempfile.TemporaryDirectory() as folder:
        text, number = Path(folder, "text.sql"), Path(folder, "seed")
        command = [sys.executable, "-m", "tests.language.fuzz", "--answer", folder, "--seed", str(seed), "--seconds", str(seconds)]
        command += [word for kind in kinds for word in ("--kind", kind)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        failed, said = _watched(process, number)
        if not number.exists():
            raise SystemExit(said)
        at = int(number.read_text())
        if failed:
            CORPUS.joinpath(f"found_{at}.sql").write_bytes(text.read_bytes())
        return at + 1, said if failed else ""


def _watched(process: subprocess.Popen[str], number: Path) -> tuple[bool, str]:
    """Waits for the process, and ends it where one text takes longer than its deadline. Whether it failed, and what it said."""
    former, since = "", time.monotonic()
    while process.poll() is None:
        try:
            process.wait(timeout=1)
        except subprocess.TimeoutExpired:
            now = number.read_text() if number.exists() else ""
            if now != former:
                former, since = now, time.monotonic()
            elif time.monotonic() - since > DEADLINE_SECONDS:
                process.kill()
                process.wait()
                return True, f"no answer within {DEADLINE_SECONDS} seconds"
    said = process.stdout.read() if process.stdout else ""
    return process.returncode != 0, "\n".join(said.strip().splitlines()[-12:]) or f"ended with {process.returncode}"


def answer(seed: int, kinds: list[str], folder: Path, seconds: float) -> int:
    """Answers a batch of texts; the first that is not answered well ends it."""
    from slices.registry import installed
    from tests.language.oracle import airline, check_text

    faulthandler.enable()
    until = time.monotonic() + seconds
    for number in range(seed, seed + BATCH):
        if time.monotonic() > until:
            break
        chance = random.Random(number)
        text = KINDS[chance.choice(kinds)](chance)
        Path(folder, "text.sql").write_bytes(text.encode("utf-8", "surrogatepass"))
        Path(folder, "seed").write_text(str(number))
        check_text(text, installed(), airline() if chance.random() < 0.5 else None)
    return 0


if __name__ == "__main__":
    sys.exit(main())
