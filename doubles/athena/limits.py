"""Athena's limits, each with the page that states it.

https://docs.aws.amazon.com/athena/latest/ug/service-limits.html unless another one is named.
"""

MOST_QUERY_BYTES = 262_144
# "DML queries: active DML queries", of which those that are queued count too; 200 in us-east-1. It can be raised.
MOST_ACTIVE = 200
# "DML query timeout": 30 minutes. It can be raised, to 240 at most.
DML_SECONDS = 30 * 60.0
# https://docs.aws.amazon.com/athena/latest/ug/querying-iceberg-table-data.html and …/ctas-insert-into.html: a write opens so many.
MOST_PARTITIONS = 100
# https://docs.aws.amazon.com/athena/latest/APIReference/API_GetQueryResults.html, of MaxResults
MOST_ROWS_A_PAGE = 1000
# https://docs.aws.amazon.com/athena/latest/APIReference/API_StartQueryExecution.html, of ClientRequestToken
TOKEN_CHARACTERS = range(32, 129)
# https://docs.aws.amazon.com/athena/latest/APIReference/API_WorkGroupConfiguration.html, of BytesScannedCutoffPerQuery
LEAST_CUTOFF_BYTES = 10_000_000
# https://docs.aws.amazon.com/athena/latest/ug/querying.html: "Athena keeps query history for 45 days"
HISTORY_SECONDS = 45 * 86_400.0
# How many of this double's queries run beside one another; in Athena that depends on what its region has free.
SLOTS = 4
