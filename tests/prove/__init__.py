"""Tests of catalog/prove/."""
