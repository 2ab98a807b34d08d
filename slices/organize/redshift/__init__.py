"""A warehouse in Amazon Redshift, provisioned or serverless, through its Data API."""
