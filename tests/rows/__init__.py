"""Tests of catalog/rows/."""
