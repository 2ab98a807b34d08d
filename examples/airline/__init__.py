"""The reference project: an airline with a production PostgreSQL and a CRM."""
