"""Formats of exports: rows in, bytes out; each module has a constant FORMAT. No file, clock, randomness or network."""
