"""Databricks' limits, each with the page that states it."""

TOKEN_SECONDS = 3600.0  # https://docs.databricks.com/aws/en/dev-tools/auth/oauth-m2m: valid for one hour
MOST_WAIT_SECONDS = 50.0  # https://docs.databricks.com/api/workspace/statementexecution/executestatement: 0s, or 5s to 50s
MOST_STATEMENT_BYTES = 16 << 20  # the same page
MOST_FILES = 1000  # https://docs.databricks.com/aws/en/sql/language-manual/delta-copy-into: of FILES
ROWS_A_CHUNK = 1000  # of this double; the service's own are of so many bytes
