"""Manifests with code of their own: airbyte-cdk, in a process of its own, reads what the engine of Atoll does not interpret."""
