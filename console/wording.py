"""Figures in words."""

from __future__ import annotations

from collections.abc import Sequence


def counted(number: int, noun: str) -> str:
    """'1 flow', '1,200 flows', '3 batches'."""
    plural = "es" if noun.endswith("ch") else "s"
    return f"{number:,} {noun}{'' if number == 1 else plural}"


def names_of(names: Sequence[str], most: int = 3) -> str:
    """'a', 'a and b', 'a, b, c and 4 more'."""
    shown = [*names[:most], *([f"{len(names) - most} more"] if len(names) > most else [])]
    return " and ".join(filter(None, [", ".join(shown[:-1]), shown[-1]]))


def waiting_for(what: str, step: str, since: str, next_look: str) -> str:
    """'waits in load for Athena query 7f… since …; it looks again at …'."""
    return f"waits in {step} for {what} since {since}; it looks again at {next_look}"


def without_place(warehouse: str, by: Sequence[str]) -> str:
    """'waits for a place: of dwh no more tables are at work at once than a and b'."""
    return f"waits for a place: in {warehouse} no more tables are at work at once than {names_of(by)} (at_once)"


def dollars(amount: float) -> str:
    """'0.000041', '0.12', '3.40': two figures that count; '' for nothing known."""
    if not amount:
        return ""
    return f"{amount:.2f}" if amount >= 0.1 else f"{float(f'{amount:.1e}'):.9f}".rstrip("0")


def age(seconds: float) -> str:
    """'45 s', '12 min', '3 h', '2 d'."""
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{int(seconds // size)} {unit}"
    return f"{int(seconds)} s"
