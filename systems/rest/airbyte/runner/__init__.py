"""The program of the process in which airbyte-cdk reads: a copy in its folder, which imports nothing of Atoll's."""
