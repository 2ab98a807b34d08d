"""Tries Atoll in an account: deploys it, runs a program against a database, takes everything away again."""
