"""Builds on a cluster: workers write files to shared storage, and this process puts them together."""
