"""Tests of catalog/net/."""
