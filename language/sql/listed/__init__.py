"""Dialects that are typed by lists: each declares its types, its functions' signatures, and what it has otherwise, as `Rules`."""
