"""Publishes to MySQL and MariaDB."""
