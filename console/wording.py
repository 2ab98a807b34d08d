"""Figures as people read them."""

from __future__ import annotations


def counted(number: int, noun: str) -> str:
    """'1 flow', '1,200 flows', '3 batches'."""
    plural = "es" if noun.endswith("ch") else "s"
    return f"{number:,} {noun}{'' if number == 1 else plural}"


def age(seconds: float) -> str:
    """'45 s', '12 min', '3 h', '2 d'."""
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{int(seconds // size)} {unit}"
    return f"{int(seconds)} s"
