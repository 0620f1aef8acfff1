"""Tests of catalog/verify/."""
