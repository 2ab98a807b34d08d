"""What the documents show runs: programs compile, and modules and files that they name exist."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from console.init import PROGRAM
from console.main import main
from infra.settings import OPTIONS
from language import compile_program, format_program
from slices.registry import installed

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = [
    *(ROOT / name for name in ("README.md", "ARCHITECTURE.md", "CONTRIBUTING.md")),
    *sorted((ROOT / "docs").rglob("*.md")),
    *sorted((ROOT / "slices").rglob("README.md")),
]


def test_the_program_in_the_readme_compiles() -> None:
    (program,) = re.findall(r"```sql\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    assert len(compile_program({"README.md": program}, installed()).flows) == 5


def test_the_program_of_atoll_init_compiles() -> None:
    assert len(compile_program({"program.sql": PROGRAM}, installed()).flows) == 5


def _shown() -> list[tuple[str, str]]:
    text = (ROOT / "docs" / "lineage.md").read_text()
    return re.findall(r"```console\n\$ atoll (.*?)\n(.*?)```", text, re.DOTALL)


@pytest.mark.parametrize(("command", "output"), _shown())
def test_what_a_command_prints_is_as_shown(command: str, output: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT / "examples" / "airline")
    result = CliRunner().invoke(main, command.split())
    assert [line.rstrip() for line in result.stdout.splitlines()] == [line.rstrip() for line in output.splitlines()]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda d: str(d.relative_to(ROOT)))
def test_every_statement_is_read(document: Path) -> None:
    """Whole programs compile in tests of their own; a statement shown alone has at least no mistake of syntax."""
    for shown in re.findall(r"^```sql\n(.*?)^```$", document.read_text(), re.MULTILINE | re.DOTALL):
        format_program(shown, str(document))


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda d: str(d.relative_to(ROOT)))
def test_every_link_leads_somewhere(document: Path) -> None:
    links = re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", document.read_text())
    missing = [link for link in links if not link.startswith("http") and not (document.parent / link).exists()]
    assert missing == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda d: str(d.relative_to(ROOT)))
def test_every_module_that_a_command_names_exists(document: Path) -> None:
    modules = set(re.findall(r"python -m ((?:benchmarks|examples|doubles)[\w.]*)", document.read_text()))
    assert [module for module in modules if importlib.util.find_spec(module) is None] == []


def test_every_option_of_a_deploy_has_its_line() -> None:
    text = (ROOT / "docs" / "deploying.md").read_text()
    assert re.findall(r"^\| `(\w+)` \|", text, re.MULTILINE) == list(OPTIONS)
