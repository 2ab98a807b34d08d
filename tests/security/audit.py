"""`make audit`: looks up known vulnerabilities of every locked package, with pip-audit and npm audit, and tells what it could not do.

A service that cannot be reached, or does not know a package, has found nothing: that is said, and never counts as clean.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).resolve().parents[2]
LOCK = PROJECT / "requirements.lock"
PIP_AUDIT = ("--require-hashes", "--disable-pip", "--format", "json", "--progress-spinner", "off", "--desc", "off")
NPM_AUDIT = ("npm", "audit", "--package-lock-only", "--json")


@dataclass(frozen=True)
class Verdict:
    """looked_up: how many packages were found in the service's data.  missing: why, or which, were not."""

    what: str
    looked_up: int = 0
    vulnerable: tuple[str, ...] = ()
    missing: str = ""

    def __str__(self) -> str:
        if self.vulnerable:
            return f"VULNERABLE: {self.what}: {'; '.join(self.vulnerable)}"
        if self.missing:
            return f"NOT AUDITED: {self.what}: {self.missing}"
        return f"clean: {self.what}: no known vulnerability in {self.looked_up} packages"


def main(arguments: Sequence[str] | None = None) -> int:
    """1 when a package is vulnerable; with --strict also when something could not be looked up."""
    parser = argparse.ArgumentParser(prog="make audit", description=__doc__)
    parser.add_argument("--strict", action="store_true", help="fail also when a service cannot be reached")
    strict = parser.parse_args(arguments).strict
    verdicts = [audit_python(), audit_npm()]
    for verdict in verdicts:
        print(verdict)
    return int(any(v.vulnerable or (strict and v.missing) for v in verdicts))


def audit_python() -> Verdict:
    """All packages of the lock, if the service knows the first of them: where it is not there it would be asked for each in vain."""
    lines = LOCK.read_text()
    first = lines[: lines.index("\n    #")] if "\n    #" in lines else lines
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "first.txt").write_text(first)
        probe = of_pip_audit(*_pip_audit(Path(folder) / "first.txt"))
    return probe if probe.missing else of_pip_audit(*_pip_audit(LOCK))


def audit_npm() -> Verdict:
    done = subprocess.run(NPM_AUDIT, cwd=PROJECT, capture_output=True, text=True, check=False)
    return of_npm_audit(done.stdout, done.stderr)


def _pip_audit(requirements: Path) -> tuple[str, str]:
    command = [sys.executable, "-m", "pip_audit", "--requirement", str(requirements), *PIP_AUDIT]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout, done.stderr


def of_pip_audit(out: str, err: str) -> Verdict:
    """Of its JSON; it ends with 1 both when it finds something and when it cannot look."""
    what, found = "requirements.lock", _object(out).get("dependencies")
    if found is None:
        return Verdict(what, missing=_last(err) or "pip-audit gives no answer")
    vulnerable = [f"{d['name']} {d['version']}: {', '.join(v['id'] for v in d['vulns'])}" for d in found if d.get("vulns")]
    skipped = [f"{d['name']}: {d['skip_reason']}" for d in found if "skip_reason" in d]
    missing = f"{len(skipped)} of {len(found)} could not be looked up, e.g. {skipped[0]}" if skipped else "" if found else "nothing"
    return Verdict(what, len(found) - len(skipped), tuple(vulnerable), missing)


def of_npm_audit(out: str, err: str) -> Verdict:
    """Of its JSON: a report has metadata, an error has none."""
    what, report = "package-lock.json", _object(out)
    if "metadata" not in report:
        return Verdict(what, missing=str(report.get("message") or _last(err) or "npm audit gives no answer"))
    vulnerable = [f"{name}: {found['severity']}" for name, found in report["vulnerabilities"].items()]
    return Verdict(what, int(report["metadata"]["dependencies"]["total"]), tuple(vulnerable))


def _object(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _last(text: str) -> str:
    lines = text.strip().splitlines()
    return lines[-1].strip() if lines else ""


if __name__ == "__main__":
    sys.exit(main())
