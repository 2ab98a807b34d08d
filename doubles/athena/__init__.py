"""A double of Athena: its API and states, and Trino's SQL over the lake's real Iceberg tables, for unmodified AWS SDKs."""
