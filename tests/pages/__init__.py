"""Tests of catalog/pages/."""
