"""The types of all columns, as the engines tell them."""
