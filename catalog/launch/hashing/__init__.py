"""Hashing many launches at once in compiled code: the same digests as the Python reference."""
