"""Docstrings name the thing, or begin with what it does: a reader of one sentence must know what the sentence is about.

Neither they nor comments speak of somebody or nobody: a thing that is done has a name for what does it, or needs none.
"""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterator

import pytest

from tests.architecture.test_layout import PACKAGES, ROOT, sources

PREPOSITIONS = re.compile(
    r"\s*(above|across|after|against|along|among|around|as|at|before|behind|below|beside|between|beyond|by|during|except|for|from|in|inside"
    r"|into|like|near|of|off|on|onto|out|outside|over|past|per|since|than|through|to|toward|towards|under|until|up|upon|via|with|within"
    r"|without)\b",
    re.IGNORECASE,
)
PERSONS = re.compile(r"\b(some|no)body\b", re.IGNORECASE)

# Docstrings of folders that are not revised yet: a number may only fall. All other folders have none.
LEFT: dict[str, int] = {}


def docstrings(text: str) -> Iterator[tuple[int, str]]:
    """Line and text of each string that stands by itself: modules', classes', functions' and fields'."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            yield node.lineno, node.value.value


def is_unclear(docstring: str) -> bool:
    """Whether it begins with a preposition that is none of SQL's words, or speaks of somebody or nobody."""
    first = PREPOSITIONS.match(docstring)
    return bool(PERSONS.search(docstring) or (first and not first[1].isupper()))


def unclear(folder: str) -> list[str]:
    """The places of a folder's unclear docstrings, without those of folders in LEFT below it."""
    inner = [ROOT / name for name in LEFT if name != folder and name.startswith(f"{folder}/")]
    files = [file for file in sources() if file.is_relative_to(ROOT / folder) and not any(map(file.is_relative_to, inner))]
    return [
        f"{f.relative_to(ROOT)}:{line}: {text[:60]}" for f in files for line, text in docstrings(f.read_text()) if is_unclear(text)
    ]


@pytest.mark.parametrize("folder", sorted({*PACKAGES, *LEFT}))
def test_docstrings_begin_with_a_noun_or_a_verb(folder: str) -> None:
    found = unclear(folder)
    assert (ROOT / folder).is_dir() and len(found) <= LEFT.get(folder, 0), "\n".join(found)


def comments(text: str) -> Iterator[tuple[int, str]]:
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], token.string


@pytest.mark.parametrize("folder", PACKAGES)
def test_comments_speak_of_nobody(folder: str) -> None:
    files = [(file, file.read_text()) for file in sources() if file.is_relative_to(ROOT / folder)]
    texts = [(file, text) for file, text in files if PERSONS.search(text)]  # most have no such word at all
    found = [f"{f.relative_to(ROOT)}:{line}: {one}" for f, text in texts for line, one in comments(text) if PERSONS.search(one)]
    assert files and not found, "\n".join(found)


def test_a_comment_is_read_and_a_text_that_looks_like_one_is_not() -> None:
    found = [one for _, one in comments('x = "# somebody"  # nobody else\n') if PERSONS.search(one)]
    assert found == ["# nobody else"]


@pytest.mark.parametrize("text", ["Of a message.", "By dataset.", "  as JSON has it", "What somebody wrote.", "Nobody is left."])
def test_a_fragment_is_unclear(text: str) -> None:
    assert is_unclear(text) and [line for line, one in docstrings(f'"""{text}"""') if is_unclear(one)] == [1]


@pytest.mark.parametrize("text", ["The batch of a flow.", "Returns what is left.", "Offsets by file.", "FROM or JOIN."])
def test_a_sentence_is_clear(text: str) -> None:
    assert not is_unclear(text)
