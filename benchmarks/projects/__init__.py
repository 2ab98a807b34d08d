"""Generated projects: the same views written for Atoll, SQLMesh and dbt."""
