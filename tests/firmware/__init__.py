"""Tests of catalog/firmware/."""
