"""A double of an Oracle database for the real python-oracledb: its listener and protocol, over a PostgreSQL."""
