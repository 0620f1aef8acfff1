"""Operate: is a published log healthy, and what happens to it over time."""
