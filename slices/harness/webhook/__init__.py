"""Publishes to applications that take webhooks."""
