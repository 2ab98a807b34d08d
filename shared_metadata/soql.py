"""SOQL's literals that SQL does not have: the compiler and the slice recognise them by one pattern."""

from __future__ import annotations

import re

# Dates are written without quotes, and relative ones with a colon:
# https://developer.salesforce.com/docs/atlas.en-us.soql_sosl.meta/soql_sosl/sforce_api_calls_soql_select_dateformats.htm
LITERAL = re.compile(
    r"(?P<string>'(?:[^'\\]|\\.|'')*')"
    r"|\b(?P<moment>\d{4}-\d\d-\d\d(?:T\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:?\d\d))?)"
    r"|\b(?P<relative>[A-Z_]+:\d+)\b",
    re.IGNORECASE,
)
