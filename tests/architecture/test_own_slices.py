"""A project's own slices: found in the current folder's `slices/`, beside Atoll's, by everything that asks for a slice."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = """\
CREATE WAREHOUSE lake USING iceberg;
CREATE CONNECTION shop TO websocket WITH (secret = 'shop');
INSERT INTO lake.shop.orders EVERY '1 hour' REPLACE AS SELECT id FROM shop.public.orders;
"""
WHAT_IS_FOUND = """\
import sys
sys.path.insert(0, {root!r})
from console.cache import compiler_digest
from infra.bundling import Bundle, code_folder
from slices.registry import installed
found = installed()
folder = 'slices/collect/websocket'
bundle = Bundle('own', (folder, 'conductor'), code_folder(folder) / 'requirements.txt')
print(*sorted(found))
print(*(name for _, name in bundle.files()))
print(bundle.requirements)
print(compiler_digest().hex())
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with a slice that is a copy of one of Atoll's, under another name."""
    own = tmp_path / "slices" / "collect" / "websocket"
    shutil.copytree(ROOT / "slices" / "collect" / "postgres", own, ignore=shutil.ignore_patterns("tests", "__pycache__"))
    for file in own.glob("*.py"):
        text = file.read_text().replace("slices.collect.postgres", "slices.collect.websocket")
        file.write_text(text.replace('system="postgres"', 'system="websocket"').replace('title="Postgres"', 'title="Websocket"'))
    (tmp_path / "program.sql").write_text(PROGRAM)
    return tmp_path


def run(project: Path, code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code.format(root=str(ROOT))], cwd=project, capture_output=True, text=True, check=False
    )


def atoll(project: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return run(
        project,
        f"import sys; sys.path.insert(0, {{root!r}}); sys.argv = ['atoll', *{arguments!r}]; import console.main as m; m.main()",
    )


def test_it_stands_beside_those_of_atoll_and_its_bundle_holds_its_code(project: Path) -> None:
    found = run(project, WHAT_IS_FOUND)
    assert found.returncode == 0, found.stderr
    slices, files, requirements, digest = found.stdout.splitlines()
    assert {"collect.websocket", "collect.postgres", "organize.iceberg"} <= {*slices.split()}
    assert {"slices/__init__.py", "slices/collect/__init__.py", "slices/collect/websocket/handlers.py", "conductor/handlers.py"} <= {
        *files.split()
    }
    assert "slices/collect/websocket/stack.py" not in files
    assert requirements == str(project / "slices" / "collect" / "websocket" / "requirements.txt")
    (project / "slices" / "collect" / "websocket" / "logic.py").open("a").write("# changed\n")
    assert run(project, WHAT_IS_FOUND).stdout.splitlines()[-1] != digest, "what was compiled with the former one is not kept"


def test_a_program_names_it_like_any_other(project: Path) -> None:
    checked = atoll(project, "check")
    assert checked.returncode == 0, checked.stderr
    assert "collect.websocket" in checked.stdout


@pytest.mark.parametrize(
    ("move", "said", "remedy"),
    [
        ("collect/postgres", "there is a slice collect.postgres already", "give the folder another name"),
        ("gather/websocket", "there is no stage gather", "the stages are collect, harness, organize"),
        ("collect/other", "the slice calls itself collect.websocket", "slices/<stage>/<system>/"),
    ],
)
def test_a_folder_that_cannot_be_a_slice_is_named_with_its_remedy(project: Path, move: str, said: str, remedy: str) -> None:
    (project / "slices" / move).parent.mkdir(exist_ok=True)
    (project / "slices" / "collect" / "websocket").rename(project / "slices" / move)
    result = atoll(project, "check")
    assert result.returncode == 1 and f"slices/{move}/slice.py: {said}" in result.stderr and remedy in result.stderr
