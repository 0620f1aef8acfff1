"""Evidence of a guest owner: recognised by its form, and read; no file, clock or environment."""
