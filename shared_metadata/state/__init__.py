"""Where flows stand along the timeline of programs, and what is due. Pure."""
