"""Snowflake's limits, each with the page that states it."""

SYNC_SECONDS = 45.0  # https://docs.snowflake.com/en/developer-guide/sql-api/submitting-requests: then 202 and a handle
RESULT_SECONDS = 86_400.0  # https://docs.snowflake.com/en/developer-guide/sql-api/handling-responses: results are kept for a day
MOST_STATEMENT_BYTES = 1 << 20  # https://docs.snowflake.com/en/user-guide/query-size-limits: 1 MB a statement
MOST_JWT_SECONDS = 3600  # https://docs.snowflake.com/en/developer-guide/sql-api/authenticating
ROWS_A_PARTITION = 1000  # of this double; the service's own are of so many bytes
