"""Tests of catalog/ask/."""
