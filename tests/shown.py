"""What a document shows to be done: files to write, edits of the program, and commands with what they print."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

_BLOCKS = re.compile(
    r"(?:`(?P<file>[\w./]+)`:\n\n)?^```(?P<kind>postgresql|python|text|diff|console)\n(?P<body>.*?)^```$", re.DOTALL | re.MULTILINE
)
_COMMANDS = re.compile(r"^\$ (?P<command>.*\n(?:> .*\n)*)(?P<printed>(?:(?!\$ ).*\n)*)", re.MULTILINE)


@dataclass(frozen=True)
class Step:
    """kind: 'file', with its name and its text; 'edit', with a file's name and a diff; or 'command', with what it prints."""

    kind: str
    what: str
    text: str


def steps(document: Path) -> list[Step]:
    """In their order. Of a text that is to be saved, the paragraph above ends in its file's name."""
    found: list[Step] = []
    for block in _BLOCKS.finditer(document.read_text()):
        if block["kind"] == "console":
            shown = _COMMANDS.finditer(block["body"])
            found += [Step("command", one["command"].replace("\n> ", "\n").strip(), one["printed"]) for one in shown]
        elif block["kind"] == "diff":
            found.append(Step("edit", "program.sql", block["body"]))
        elif block["file"]:
            found.append(Step("file", block["file"], block["body"]))
    return found


def edit(file: Path, diff: str) -> None:
    """Applies lines that begin with - and +, in hunks; each has to stand in the file once."""
    text = file.read_text()
    for hunk in re.findall(r"(?:^[-+ ].*\n)+", diff, re.MULTILINE):
        lines = hunk.splitlines()
        old = "\n".join(line[1:] for line in lines if line[0] in "- ")
        new = "\n".join(line[1:] for line in lines if line[0] in "+ ")
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    file.write_text(text)


def is_shown(printed: str, output: str) -> bool:
    """Whether the output has each line of `printed`, in their order, among others; `…` stands for anything."""
    at = 0
    for line in filter(str.strip, printed.splitlines()):
        pattern = ".*".join(re.escape(part) for part in line.rstrip().split("…"))
        match = re.compile(f"^{pattern}\\s*$", re.MULTILINE).search(output, at)
        if match is None:
            return False
        at = match.end()
    return True
