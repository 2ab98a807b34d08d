"""Publishing to a table of any database that speaks SQL and has transactions: what its slices share."""
