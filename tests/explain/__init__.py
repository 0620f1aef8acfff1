"""Tests of catalog/explain/."""
