"""What runs in a function's own Lambda, and where views are tried: its code, in a process of its own."""
