"""A warehouse in Snowflake, through its SQL API."""
