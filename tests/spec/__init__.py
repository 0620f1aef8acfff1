"""Tests of catalog/spec/."""
