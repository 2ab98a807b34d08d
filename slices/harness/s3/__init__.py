"""Publishes files in S3, for whoever fetches them by a manifest."""
