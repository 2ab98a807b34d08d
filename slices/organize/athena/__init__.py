"""Views of a lake of Iceberg tables that Athena computes."""
