"""Characters that look like SQL's, or like nothing, are told by their code point, at their place."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from language import compile_program, format_program
from language.text.characters import odd_characters
from language.text.diagnostics import ProgramErrors, source_text
from slices.registry import installed

HEAD = "CREATE WAREHOUSE lake USING iceberg;\nCREATE CONNECTION ops TO postgres WITH (secret = 'ops');\n"
HEAD += "INSERT INTO lake.o FROM ops.o TABLES (trades) EVERY '1 hour';\n"
VIEW = "CREATE MATERIALIZED VIEW lake.v.x EVERY '1 hour' REPLACE AS SELECT {} FROM lake.o.trades;"
SIGNS = {
    "\u2212": "-",
    "\u2013": "-",
    "\uff1d": "=",
    "\uff0c": ",",
    "\uff08": "(",
    "\uff1b": ";",
    "\u2019": "'",
    "\u201c": '"',
    "\u3001": ",",
}
HIDDEN = "\u200b\u200c\u200d\u2060\ufeff\u00ad"


def mistakes(text: str) -> list[tuple[int, int, str, str]]:
    with pytest.raises(ProgramErrors) as caught:
        compile_program({"p.sql": HEAD + text}, installed())
    return [(d.line, d.column, d.cause, d.remedy) for d in caught.value.diagnostics]


@pytest.mark.parametrize("sign", SIGNS)
def test_a_sign_that_looks_like_one_of_sql_is_named(sign: str) -> None:
    text = VIEW.format(f"a {sign} b AS x")
    ((line, column, cause, remedy),) = mistakes(text)
    assert (line, column) == (4, text.index(sign) + 1)
    assert cause.startswith(f"this is U+{ord(sign):04X} ") and remedy == f"write {SIGNS[sign]}"


@pytest.mark.parametrize("hidden", HIDDEN)
@pytest.mark.parametrize("place", ["WAREHOUSE la{}ke", "SELECT a{}b", "FR{}OM lake"])
def test_what_hides_in_a_word_is_named(hidden: str, place: str) -> None:
    """Read as a space it would make two words of one: `a` called `b`."""
    text = (HEAD + VIEW.format("ab")).replace(place.format(""), place.format(hidden), 1)
    with pytest.raises(ProgramErrors) as caught:
        compile_program({"p.sql": text}, installed())
    (found,) = caught.value.diagnostics
    assert f"U+{ord(hidden):04X} " in found.cause and found.remedy == "remove it" and found.source_line[found.column - 1] == hidden
    with pytest.raises(ProgramErrors, match=f"U\\+{ord(hidden):04X}"):
        format_program(text, "p.sql")


@given(st.text("ab1_ \u200b\u200d\ufeff\u2212\uff1d'\"-/*\n\u0430", max_size=20))
def test_no_place_moves_and_what_stands_in_quotes_and_comments_stays(text: str) -> None:
    found = source_text("p.sql", text).text
    assert len(found) == len(text.removeprefix("\ufeff"))
    for start, end, _, _ in odd_characters(found):
        assert not found[start:end].isascii()
    for quoted in ("'\u2212 a\u200bb'", '"\u2212 a\u200bb"', "-- \u2212 a\u200bb\n", "/* \u2212 a\u200bb */"):
        assert source_text("p.sql", quoted).text == quoted and not list(odd_characters(quoted))


@pytest.mark.parametrize(("written", "plain"), [("\u0430", "a"), ("\u0441\u043e\u0440\u0443", "copy"), ("trade\u0455", "trades")])
def test_a_name_in_letters_of_another_alphabet_that_look_the_same_is_told(written: str, plain: str) -> None:
    ((_, _, _, remedy),) = mistakes(VIEW.format("a AS x").replace("lake.o.trades", f"lake.o.{written}"))
    assert (
        remedy.startswith(f"`{written[-1] if plain == 'trades' else written[0]}` in `{written}` is U+0")
        and f"`{plain}` is written in plain" in remedy
    )


def test_a_word_of_another_language_is_told_as_any_other() -> None:
    ((_, _, _, remedy),) = mistakes(VIEW.format("a AS x").replace("lake.o.trades", "lake.o.\u0434\u0430\u043d\u043d\u044b\u0435"))
    assert "U+" not in remedy
