"""Rows of an export: what is selected, what speaks against it, and how it is searched."""
