"""Captures what changed in a table from MySQL's or MariaDB's binary log, by its global transaction ids."""
