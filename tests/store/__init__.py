"""Tests of catalog/store/."""
