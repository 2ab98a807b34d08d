"""The named forms of statements between the passes."""
