"""Tests, in folders that mirror those of catalog/."""
