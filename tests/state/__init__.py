"""Tests of catalog/state/."""
