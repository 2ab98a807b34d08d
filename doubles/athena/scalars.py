"""Functions of one row whose SQL follows from the types of their arguments alone."""

from __future__ import annotations

from doubles.athena.casts import error, not_known
from doubles.athena.kinds import literal
from doubles.athena.lists import LISTS
from doubles.athena.signatures import table

# https://trino.io/docs/current/functions/string.html: what Java's trim takes for white space
_BLANKS = (*range(9, 14), *range(28, 33), 0x1680, *range(0x2000, 0x2007), *range(0x2008, 0x200B), 0x2028, 0x2029, 0x205F, 0x3000)
BLANKS = f"({' || '.join(f'chr({code})' for code in _BLANKS)})"
_INDEX = error("INVALID_FUNCTION_ARGUMENT", literal("Index must be greater than zero"))
_JSON = error("INVALID_FUNCTION_ARGUMENT", literal("Cannot convert value to JSON"))
_PARAMETER = not_known("url_extract_parameter of such a name")
_NONE = "CAST('NaN' AS DOUBLE)"
_LEAST = "CAST('-Infinity' AS DOUBLE)"


def _logarithm(name: str) -> str:
    """Of zero and below Trino gives what Java does, where DuckDB fails."""
    return f"CASE WHEN {{0}} < 0 THEN {_NONE} WHEN {{0}} = 0 THEN {_LEAST} ELSE {name}({{0}}) END"


def _url(pattern: str) -> str:
    """What a pattern finds in a URL; NULL where there is none."""
    return f"CASE WHEN regexp_matches({{0}}, '{pattern}') THEN regexp_extract({{0}}, '{pattern}', 1) END"


SCALARS = table(
    f"""
    length(varchar) bigint :: length({{0}})
    lower(varchar) varchar :: lower({{0}})
    upper(varchar) varchar :: upper({{0}})
    trim(varchar) varchar :: trim({{0}}, {BLANKS})
    ltrim(varchar) varchar :: ltrim({{0}}, {BLANKS})
    rtrim(varchar) varchar :: rtrim({{0}}, {BLANKS})
    lpad(varchar, bigint, varchar) varchar :: lpad({{0}}, CAST({{1}} AS INTEGER), {{2}})
    rpad(varchar, bigint, varchar) varchar :: rpad({{0}}, CAST({{1}} AS INTEGER), {{2}})
    replace(varchar, varchar) varchar :: replace({{0}}, {{1}}, '')
    translate(varchar, varchar, varchar) varchar :: translate({{0}}, {{1}}, {{2}})
    substr(varchar, bigint) varchar :: CASE WHEN {{1}} = 0 OR -{{1}} > length({{0}}) THEN '' ELSE substr({{0}}, {{1}}) END
    substr(varchar, bigint, bigint) varchar :: CASE WHEN {{1}} = 0 OR -{{1}} > length({{0}}) OR {{2}} <= 0
        :: THEN left({{0}}, 0 * {{2}})
        :: ELSE substr({{0}}, {{1}}, {{2}}) END
    strpos(varchar, varchar) bigint :: strpos({{0}}, {{1}})
    starts_with(varchar, varchar) boolean :: starts_with({{0}}, {{1}})
    ends_with(varchar, varchar) boolean :: ends_with({{0}}, {{1}})
    split(varchar, varchar) array(varchar) :: string_split({{0}}, {{1}})
    split_part(varchar, varchar, bigint) varchar :: CASE WHEN {{2}} < 1 THEN {_INDEX} ELSE string_split({{0}}, {{1}})[{{2}}] END
    chr(bigint) varchar :: chr(CAST({{0}} AS INTEGER))
    to_utf8(varchar) varbinary :: encode({{0}})
    to_hex(varbinary) varchar :: hex({{0}})
    from_hex(varchar) varbinary :: unhex({{0}})
    to_base64(varbinary) varchar :: to_base64({{0}})
    from_base64(varchar) varbinary :: from_base64({{0}})
    md5(varbinary) varbinary :: unhex(md5({{0}}))
    sha1(varbinary) varbinary :: unhex(sha1({{0}}))
    sha256(varbinary) varbinary :: unhex(sha256({{0}}))
    abs(N) N :: abs({{0}})
    sign(integer) integer :: CAST(sign({{0}}) AS INTEGER)
    sign(bigint) bigint :: CAST(sign({{0}}) AS BIGINT)
    sign(double) double :: CASE WHEN isnan({{0}}) THEN {{0}} ELSE CAST(sign({{0}}) AS DOUBLE) END
    round(decimal) whole :: CAST(round({{0}}) AS {{kind}})
    round(integer) integer :: {{0}}
    round(bigint) bigint :: {{0}}
    round(real) real :: round({{0}})
    round(double) double :: round({{0}})
    ceil(integer) integer :: {{0}}
    ceil(bigint) bigint :: {{0}}
    ceil(decimal) whole :: CAST(ceil({{0}}) AS {{kind}})
    ceil(real) real :: ceil({{0}})
    ceil(double) double :: ceil({{0}})
    floor(integer) integer :: {{0}}
    floor(bigint) bigint :: {{0}}
    floor(decimal) whole :: CAST(floor({{0}}) AS {{kind}})
    floor(real) real :: floor({{0}})
    floor(double) double :: floor({{0}})
    sqrt(double) double :: CASE WHEN {{0}} < 0 THEN {_NONE} ELSE sqrt({{0}}) END
    cbrt(double) double :: cbrt({{0}})
    exp(double) double :: exp({{0}})
    ln(double) double :: {_logarithm("ln")}
    log2(double) double :: {_logarithm("log2")}
    log10(double) double :: {_logarithm("log10")}
    power(double, double) double :: power({{0}}, {{1}})
    pi() double :: pi()
    e() double :: CAST('2.718281828459045' AS DOUBLE)
    sin(double) double :: sin({{0}})
    cos(double) double :: cos({{0}})
    tan(double) double :: tan({{0}})
    atan(double) double :: atan({{0}})
    atan2(double, double) double :: atan2({{0}}, {{1}})
    degrees(double) double :: degrees({{0}})
    radians(double) double :: radians({{0}})
    is_nan(double) boolean :: isnan({{0}})
    is_finite(double) boolean :: isfinite({{0}})
    is_infinite(double) boolean :: isinf({{0}})
    bitwise_and(bigint, bigint) bigint :: {{0}} & {{1}}
    bitwise_or(bigint, bigint) bigint :: {{0}} | {{1}}
    bitwise_xor(bigint, bigint) bigint :: xor({{0}}, {{1}})
    year(D) bigint :: year({{0}})
    quarter(D) bigint :: quarter({{0}})
    month(D) bigint :: month({{0}})
    week(D) bigint :: week({{0}})
    year_of_week(D) bigint :: isoyear({{0}})
    day(D) bigint :: day({{0}})
    day_of_week(D) bigint :: isodow({{0}})
    day_of_year(D) bigint :: dayofyear({{0}})
    hour(timestamp) bigint :: hour({{0}})
    minute(timestamp) bigint :: minute({{0}})
    second(timestamp) bigint :: second({{0}})
    millisecond(timestamp) bigint :: millisecond({{0}}) % 1000
    hour(timestamp with time zone) bigint :: hour({{0}})
    minute(timestamp with time zone) bigint :: minute({{0}})
    second(timestamp with time zone) bigint :: second({{0}})
    millisecond(timestamp with time zone) bigint :: millisecond({{0}}) % 1000
    last_day_of_month(D) date :: CAST(last_day({{0}}) AS DATE)
    to_unixtime(timestamp) double :: epoch({{0}})
    to_unixtime(timestamp with time zone) double :: epoch({{0}})
    from_unixtime(double) timestamp(3) with time zone :: CAST(
        ::make_timestamp(CAST(floor({{0}} * 1000 + 0.5) AS BIGINT) * 1000) AS TIMESTAMPTZ)
    length(varbinary) bigint :: octet_length({{0}})
    reverse(varchar) varchar :: reverse({{0}})
    trim(varchar, varchar) varchar :: trim({{0}}, {{1}})
    ltrim(varchar, varchar) varchar :: ltrim({{0}}, {{1}})
    rtrim(varchar, varchar) varchar :: rtrim({{0}}, {{1}})
    levenshtein_distance(varchar, varchar) bigint :: CAST(levenshtein({{0}}, {{1}}) AS BIGINT)
    from_utf8(varbinary) varchar :: decode({{0}})
    asin(double) double :: CASE WHEN abs({{0}}) > 1 THEN {_NONE} ELSE asin({{0}}) END
    acos(double) double :: CASE WHEN abs({{0}}) > 1 THEN {_NONE} ELSE acos({{0}}) END
    truncate(integer) integer :: {{0}}
    truncate(bigint) bigint :: {{0}}
    url_extract_host(varchar) varchar :: {_url("^[A-Za-z][A-Za-z0-9+.-]*://(?:[^@/?#]*@)?([^:/?#]+)")}
    url_extract_path(varchar) varchar :: {_url("^[A-Za-z][A-Za-z0-9+.-]*://[^/?#]*([^?#]*)")}
    url_extract_query(varchar) varchar :: {_url("^[A-Za-z][A-Za-z0-9+.-]*://[^?#]*[?]([^#]*)")}
    url_extract_parameter(varchar, varchar) varchar :: CASE WHEN regexp_full_match({{1}}, '[A-Za-z0-9_]*') THEN
        :: list_filter(list_transform(string_split({_url("^[A-Za-z][A-Za-z0-9+.-]*://[^?#]*[?]([^#]*)")}, '&'),
        :: lambda e: CASE WHEN string_split(e, '=')[1] = {{1}} THEN url_decode(substr(e, length({{1}}) + 2)) END),
        :: lambda e: e IS NOT NULL)[1] ELSE {_PARAMETER} END
    json_array_length(varchar) bigint :: CASE WHEN json_valid({{0}}) AND json_type({{0}}) = 'ARRAY'
        :: THEN CAST(json_array_length({{0}}) AS BIGINT) END
    json_array_length(json) bigint :: CASE WHEN json_type({{0}}) = 'ARRAY' THEN CAST(json_array_length({{0}}) AS BIGINT) END
    json_parse(varchar) json :: CASE WHEN {{0}} IS NULL THEN NULL WHEN json_valid({{0}}) THEN CAST({{0}} AS JSON) ELSE {_JSON} END
    json_format(json) varchar :: CAST({{0}} AS VARCHAR)
    """
)
SCALARS |= LISTS
SAME_AS = {
    **{"substring": "substr", "ceiling": "ceil", "pow": "power", "week_of_year": "week", "yow": "year_of_week"},
    **{"day_of_month": "day", "dow": "day_of_week", "doy": "day_of_year", "every": "bool_and", "any_value": "arbitrary"},
    **{"stddev": "stddev_samp", "variance": "var_samp"},
}
