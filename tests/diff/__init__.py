"""Tests of catalog/diff/."""
