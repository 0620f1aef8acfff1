"""Tests of catalog/files/."""
