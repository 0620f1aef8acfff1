"""Audit: recompute every claim of a catalog or a log, and compare."""
