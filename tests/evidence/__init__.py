"""Tests of catalog/evidence/."""
