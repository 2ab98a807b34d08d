"""The language's reference is true: its grammar is the parser's, its examples compile, and its errors are those shown."""

from __future__ import annotations

import inspect
import random
import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from language import ProgramErrors, compile_program, compile_with_positions, format_program
from language.parse import clauses, function, parser
from language.text.diagnostics import source_text
from shared_metadata.contract.declaration import Slice
from shared_metadata.program import Mode
from tests.language.oracle import airline

ROOT = Path(__file__).parents[2]
REFERENCE = (ROOT / "docs" / "language.md").read_text(encoding="utf-8")
COLLECT = (ROOT / "examples" / "airline" / "program.sql").read_text().split("-- Organize")[0]
WRONG = re.findall(r"^```sql wrong\n(.*?)^```\n\n```text\n(.*?)^```$", REFERENCE, re.MULTILINE | re.DOTALL)
SAMPLES = {  # what the grammar leaves to its text
    "name": ["lake", "_x1", '"Strange name"', "carrier_Code__c"],
    "system": ["iceberg", "postgres"],
    "string": ["'a'", "'it''s'", "''"],
    "number": ["1", "2.5", "1e3"],
    "count": ["0", "100"],
    "share": ["0.1", "100"],
    "duration": ["'15 minutes'", "'1 hour'", "'1 week'"],
    "query": ["SELECT 1 AS a", "WITH a AS (SELECT ';' AS b) SELECT b FROM a -- the end\n"],
    "type": ["INTEGER", "DECIMAL(10, 2)", "TIMESTAMP WITH TIME ZONE"],
    "predicate": ["a IS NOT NULL", "(a + 1) > f(b)", "a = ')'"],
}
# What a rule of the grammar does not say; the text after it does.
BESIDES = (
    "is given twice",
    "is there twice",
    "TOLERATE names",
    "nothing here sets bad rows aside",
    "has no query",
    "does not say",
    "either TABLES (…) or a query",
    "cannot be fresh",
)


def _blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", REFERENCE, re.MULTILINE | re.DOTALL)


def _grammar() -> dict[str, list[str]]:
    """Each rule's tokens: terminals in quotes, names of rules, and the signs | [ ] { } ( )."""
    (text,) = _blocks("ebnf")
    rules = re.findall(r"^(\w+)\s*=\s*(.*?) ;$", text, re.MULTILINE | re.DOTALL)
    return {name: re.findall(r'"[^"]+"|\w+|[|\[\]{}()]', body) for name, body in rules}


GRAMMAR = _grammar()
TERMINALS = {token[1:-1] for body in GRAMMAR.values() for token in body if token.startswith('"') and token[1].isalpha()}


def _clause_words(statement: str) -> set[str]:
    """The words that clauses begin with, as the parser tells them."""
    _, [problem, *_] = parser.parse([source_text("p.sql", f"{statement} BOGUS;")])
    return set(problem.remedy.split("clauses begin with ")[1].split(", "))


def _first_words(rule: str) -> set[str]:
    words, begins = set(), True
    for token in GRAMMAR[rule]:
        if begins:
            words |= {token[1:-1]} if token.startswith('"') else _first_words(token)
        begins = token == "|"
    return words


def test_clauses_begin_with_the_words_of_the_grammar_and_have_a_section_each() -> None:
    assert _clause_words("INSERT INTO a.b") == _first_words("insert_clause") | {"AS"}
    assert _clause_words("CREATE MATERIALIZED VIEW a.b.c") == _first_words("view_clause") | {"AS"}
    section = REFERENCE.split("## Clauses")[1].split("\n## ")[0]
    assert set(re.findall(r"^### (\w+)$", section, re.MULTILINE)) == _clause_words("INSERT INTO a.b")


def test_the_parser_knows_no_other_words() -> None:
    source = inspect.getsource(parser) + inspect.getsource(clauses) + inspect.getsource(function)
    taken = re.findall(r"(?:take_word|expect_word|is_word)\(([^)]*)\)", source) + re.findall(r'("[A-Z]+"): [(s]', source)
    words = {word for text in taken for word in re.findall(r'"([A-Z]+)"', text)} | {*clauses.ACTIONS, *Mode, "USING", "TO"}
    assert words == TERMINALS


def _derived(chance: random.Random, rule: str) -> str:
    """A text of this rule."""
    if rule in SAMPLES:
        return chance.choice(SAMPLES[rule])
    text, end = _alternatives(chance, GRAMMAR[rule], 0)
    assert end == len(GRAMMAR[rule])
    return text


def _alternatives(chance: random.Random, tokens: list[str], at: int) -> tuple[str, int]:
    """One of `a | b | …`, and where it ends: at a closing sign, or with the rule."""
    texts, text = [], ""
    while at < len(tokens) and tokens[at] not in ")]}":
        token, at = tokens[at], at + 1
        if token == "|":
            texts, text = [*texts, text], ""
        elif token in "([{":
            inner, end = _alternatives(chance, tokens, at)
            again = [_alternatives(chance, tokens, at)[0] for _ in range(chance.randint(0, 2))]
            text += " ".join({"(": [inner], "[": again[:1], "{": again}[token]) + " "
            at = end + 1
        else:
            text += (token[1:-1] if token.startswith('"') else _derived(chance, token)) + " "
    return chance.choice([*texts, text]), at


@pytest.mark.parametrize("seed", range(200))
def test_what_the_grammar_makes_is_parsed(seed: int) -> None:
    text = _derived(random.Random(seed), "program")
    _, problems = parser.parse([source_text("p.sql", text)])
    strange = [str(problem) for problem in problems if not any(said in problem.cause for said in BESIDES)]
    assert not strange, "\n".join(strange)


def test_the_examples_are_one_program(slices: Mapping[str, Slice]) -> None:
    program = compile_program({"program.sql": "".join(_blocks("sql"))}, slices)
    assert {flow.stage for flow in program.flows.values()} == {"collect", "organize", "harness"}
    assert "lake.ops.carriers" in program.producers


@pytest.mark.parametrize("block", _blocks("sql"))
def test_the_examples_are_laid_out(block: str) -> None:
    assert format_program(block, "program.sql") == block


def test_every_example_is_read_by_a_test() -> None:
    assert set(re.findall(r"^```(.+)$", REFERENCE, re.MULTILINE)) == {"sql", "sql wrong", "text", "ebnf"}
    assert len(WRONG) == len(_blocks("sql wrong")) == len(_blocks("text")) > 4


@pytest.mark.parametrize(("wrong", "shown"), WRONG)
def test_the_errors_are_as_shown(wrong: str, shown: str, slices: Mapping[str, Slice]) -> None:
    with pytest.raises(ProgramErrors) as raised:
        compile_with_positions({"airline.sql": COLLECT, "program.sql": wrong}, slices, airline())
    assert f"{raised.value}\n" == shown
