"""A warehouse in Databricks, through its SQL Statement Execution API."""
