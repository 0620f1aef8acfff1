"""Tests of catalog/build/."""
