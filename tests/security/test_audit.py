"""The audit is red for what is vulnerable, and never calls clean what it could not look up."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.security import audit
from tests.security.audit import Verdict, of_npm_audit, of_pip_audit

pytestmark = pytest.mark.security
CLEAN = {"name": "a", "version": "1.0", "vulns": []}
BAD = {"name": "b", "version": "2.0", "vulns": [{"id": "PYSEC-2026-1", "fix_versions": ["2.1"], "aliases": []}]}
SKIPPED = {"name": "c", "skip_reason": "Dependency not found on PyPI and could not be audited: c (3.0)"}


def pip(*dependencies: Any) -> Verdict:
    return of_pip_audit(json.dumps({"dependencies": dependencies, "fixes": []}), "")


def test_packages_without_known_vulnerabilities_are_clean() -> None:
    assert str(pip(CLEAN)) == "clean: requirements.lock: no known vulnerability in 1 packages"
    report = {"vulnerabilities": {}, "metadata": {"dependencies": {"total": 2}}}
    assert str(of_npm_audit(json.dumps(report), "")) == "clean: package-lock.json: no known vulnerability in 2 packages"


def test_a_vulnerable_package_is_named() -> None:
    assert str(pip(CLEAN, BAD)) == "VULNERABLE: requirements.lock: b 2.0: PYSEC-2026-1"
    report = {"vulnerabilities": {"tar": {"severity": "high"}}, "metadata": {"dependencies": {"total": 2}}}
    assert str(of_npm_audit(json.dumps(report), "")) == "VULNERABLE: package-lock.json: tar: high"


def test_what_could_not_be_looked_up_is_not_clean() -> None:
    assert str(pip(CLEAN, SKIPPED)).startswith("NOT AUDITED: requirements.lock: 1 of 2 could not be looked up, e.g. c: ")
    assert str(of_pip_audit("", "a\nConnectionError: no route\n")) == "NOT AUDITED: requirements.lock: ConnectionError: no route"
    assert pip().missing and of_pip_audit("[]", "").missing
    refused = {"message": "405 Method Not Allowed", "error": {"summary": "", "detail": ""}}
    assert str(of_npm_audit(json.dumps(refused), "")) == "NOT AUDITED: package-lock.json: 405 Method Not Allowed"


@pytest.mark.parametrize(
    ("verdict", "plain", "strict"),
    [(pip(CLEAN), 0, 0), (pip(CLEAN, BAD), 1, 1), (pip(BAD, SKIPPED), 1, 1), (pip(SKIPPED), 0, 1)],
)
def test_only_a_vulnerable_package_is_red_unless_asked_to_be_strict(
    monkeypatch: pytest.MonkeyPatch, verdict: Verdict, plain: int, strict: int
) -> None:
    monkeypatch.setattr(audit, "audit_python", lambda: verdict)
    monkeypatch.setattr(audit, "audit_npm", lambda: Verdict("package-lock.json", 1))
    assert (audit.main([]), audit.main(["--strict"])) == (plain, strict)
