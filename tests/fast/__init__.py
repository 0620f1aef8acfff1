"""Tests of catalog/fast/."""
