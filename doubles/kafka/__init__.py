"""A Kafka broker for tests: one node, whose logs, transactions and rights a test moves, and that any client of Kafka reads."""
