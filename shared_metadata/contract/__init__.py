"""The slice contract: what a slice declares, and what every slice of a stage does in the same way."""
