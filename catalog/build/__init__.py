"""Builds a catalog: from a spec to its files."""
