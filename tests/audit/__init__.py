"""Tests of catalog/audit/."""
