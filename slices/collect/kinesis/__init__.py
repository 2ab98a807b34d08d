"""Collects events from streams of Amazon Kinesis."""
