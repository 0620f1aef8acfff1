"""Verify: whether a release is what its publisher signed, fresh, and consistent with what was seen before."""
