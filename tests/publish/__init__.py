"""Tests of catalog/publish/."""
