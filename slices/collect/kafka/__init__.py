"""Collects events from topics of Apache Kafka."""
