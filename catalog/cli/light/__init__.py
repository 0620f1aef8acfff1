"""Command lines that are answered at once: what few modules are enough for; all else takes the full path (main.py)."""
