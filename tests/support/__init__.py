"""Shared by several tests: builders, fixtures, hosts and hostile input."""
