"""Tests of catalog/log/."""
