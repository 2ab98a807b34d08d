"""airbyte-cdk, the original, is asked for what systems/rest asks and brings: over manifests that PyPI has under MIT."""

from __future__ import annotations

import fcntl
import json
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
PARTS, ORACLE = ROOT / ".atoll" / "parts", ROOT / "tests" / "systems" / "rest" / "oracle"
UV = str(Path(sys.executable).with_name("uv"))
# Its own environment: what it pins is not what Atoll locks.
ORIGINAL = ("airbyte-cdk==7.39.1", "freezegun==1.5.5", "msgspec==0.23.0")  # the last for systems/rest
MANIFESTS = (
    *("amplitude==0.6.19", "chargebee==0.8.0", "clockify==0.3.13", "coda==1.2.13", "confluence==0.2.16", "freshdesk==3.1.3"),
    *("greenhouse==0.6.1", "jira==4.0.0", "klaviyo==2.13.1", "mailchimp==2.0.37", "pipedrive==2.3.7", "quickbooks==4.0.4"),
    *("sendgrid==1.1.5", "square==1.6.23", "typeform==1.3.27", "woocommerce==0.4.12", "xero==2.0.1", "zendesk-talk==1.0.21"),
)
LEAST_COMPARED = 193


@pytest.fixture(scope="module")
def fetched() -> tuple[Path, Path]:
    """The interpreter of an environment with airbyte-cdk, and a folder of manifests; fetched by the first test that needs them."""
    environment, manifests = PARTS / "airbyte", PARTS / "manifests"
    PARTS.mkdir(parents=True, exist_ok=True)
    with (PARTS / "airbyte.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        python, done = environment / "bin" / "python", manifests / "done"
        if not done.is_file() or done.read_text() != " ".join(ORIGINAL):
            _run(UV, "venv", "--quiet", "--clear", "--python", sys.executable, str(environment))
            _run(UV, "pip", "install", "--quiet", "--python", str(python), *ORIGINAL)
            named = [f"airbyte-source-{name}" for name in MANIFESTS]
            _run(UV, "pip", "install", "--quiet", "--no-deps", "--only-binary", ":all:", "--target", str(manifests), *named)
            done.write_text(" ".join(ORIGINAL))
    return python, manifests


@pytest.mark.deep
@pytest.mark.budget(300)
@pytest.mark.timeout(900)
def test_the_same_is_asked_and_the_same_comes_out(fetched: tuple[Path, Path], tmp_path: Path) -> None:
    python, manifests = fetched
    licences = {re.search(r"^License: (.+)$", f.read_text(), re.MULTILINE)[1] for f in manifests.glob("airbyte_*/METADATA")}  # type: ignore[index]
    assert licences == {"MIT"}
    found = _compared(python, manifests, manifests, tmp_path)
    counted = Counter(said.partition(":")[0] for said in found.values())
    print(f"{counted['same']} of {counted['same'] + counted['differs']} streams are the same; {dict(counted)}")
    assert {name: said for name, said in found.items() if said.startswith("differs")} == {}
    assert counted["same"] >= LEAST_COMPARED


@pytest.mark.deep
@pytest.mark.budget(300)
@pytest.mark.timeout(900)
def test_what_few_manifests_say_asks_for_the_same_and_makes_the_same_of_it(fetched: tuple[Path, Path], tmp_path: Path) -> None:
    python, manifests = fetched
    found = _compared(python, manifests, ORACLE, tmp_path)
    both = [f"source_delegating.{name}{of}" for name in ("customers", "invoices") for of in ("", ", of changes")]
    assert {name: found.pop(name) for name in both} == dict.fromkeys(both, "same")
    assert Counter(name.partition(".")[0] for name in found) == {"source_shaping": 11, "source_signing": 3, "source_dynamic": 13}
    assert {name: said for name, said in found.items() if said != "same"} == {}


def _compared(python: Path, packages: Path, folder: Path, out: Path) -> dict[str, str]:
    """Source and stream ▸ what of it is the same, by airbyte-cdk and by systems/rest."""
    told = out / "out.json"
    command = [str(python), str(ORACLE / "compare.py"), str(folder), str(told)]
    environment = {"PYTHONPATH": f"{ROOT}:{packages}", "PATH": "/usr/bin:/bin"}
    subprocess.run(command, env=environment, check=True, timeout=800, stdout=subprocess.DEVNULL)
    return {f"{source}.{name}": said for source, streams in json.loads(told.read_text()).items() for name, said in streams.items()}


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
