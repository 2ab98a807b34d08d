"""A double of the Redshift Data API, over a real PostgreSQL whose kindnesses are taken away."""
