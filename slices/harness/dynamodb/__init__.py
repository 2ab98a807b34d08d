"""Publishes to tables of DynamoDB that a product reads by key."""
