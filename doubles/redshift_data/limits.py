"""Redshift's limits, each with the page that states it.

https://docs.aws.amazon.com/redshift/latest/mgmt/data-api.html ("Considerations when calling the Data API") unless another is named.
"""

MOST_TEXT_BYTES = 100_000  # "The maximum query statement size is 100 KB"
MOST_STATEMENTS = 40  # https://docs.aws.amazon.com/redshift-data/latest/APIReference/API_BatchExecuteStatement.html, of Sqls
MOST_ACTIVE = 500  # "The maximum number of active queries (STARTED and SUBMITTED queries)"
HISTORY_SECONDS = 86_400.0  # "The maximum retention time for query results is 24 hours"
MOST_RESULT_BYTES = 500 << 20  # "The maximum query result size"
MOST_ROW_BYTES = 64 << 10  # https://docs.aws.amazon.com/redshift/latest/mgmt/data-api-troubleshooting.html
ROWS_A_PAGE = 1000  # of this double; the service's own pages are of so many bytes
# https://docs.aws.amazon.com/redshift-data/latest/APIReference/API_ExecuteStatement.html
TOKEN_CHARACTERS, MOST_WAIT_SECONDS = range(1, 65), 30
# https://docs.aws.amazon.com/redshift/latest/dg/r_Character_types.html
MOST_VARCHAR_BYTES, DEFAULT_VARCHAR_BYTES = 65_535, 256
# https://docs.aws.amazon.com/redshift/latest/dg/r_VARBYTE_type.html
MOST_VARBYTE_BYTES, DEFAULT_VARBYTE_BYTES = 16_777_216, 64_000
MOST_NAME_BYTES = 127  # https://docs.aws.amazon.com/redshift/latest/dg/r_names.html
MOST_COLUMNS = 1600  # https://docs.aws.amazon.com/redshift/latest/dg/r_CREATE_TABLE_usage.html
