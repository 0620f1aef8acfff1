"""Diff: what changed from one catalog or release to another."""
