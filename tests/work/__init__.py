"""Tests of catalog/work/."""
