"""The step that looks after tables, and what has to stay for those who read them."""
