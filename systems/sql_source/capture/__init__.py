"""Reading what changed in a table from the log of its database: what is the same whatever log it is."""
