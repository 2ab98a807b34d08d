"""REST APIs that a manifest describes, in Airbyte's declarative format; one interpreter for all of them."""
