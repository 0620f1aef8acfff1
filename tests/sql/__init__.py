"""Tests of catalog/sql/."""
