"""Hashes many launches at once in compiled code, with the same digests as the Python reference."""
