"""What belongs to one SQL dialect: a folder each."""
