"""Tests of catalog/terminal/."""
