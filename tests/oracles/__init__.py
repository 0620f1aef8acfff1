"""Differential tests against other implementations."""
