"""The wording of messages to people."""
