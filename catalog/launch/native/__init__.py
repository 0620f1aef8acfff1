"""Compiled kernels: the same digests as the Python reference, many chains side by side."""
