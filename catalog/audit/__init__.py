"""Audit: every claim of a catalog or a log, recomputed and compared."""
