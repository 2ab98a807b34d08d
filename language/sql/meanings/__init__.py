"""What means the same in several dialects: see forms.py."""
