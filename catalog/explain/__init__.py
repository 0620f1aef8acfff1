"""Explain: why a launch digest is not the expected one."""
