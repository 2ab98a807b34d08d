"""Collects from Files in S3."""
