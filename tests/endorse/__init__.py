"""Tests of catalog/endorse/."""
