"""Tests of catalog/launch/."""
