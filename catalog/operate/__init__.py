"""Operate: whether a published log is healthy, and how it changes over time."""
