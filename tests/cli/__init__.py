"""Tests of catalog/cli/."""
