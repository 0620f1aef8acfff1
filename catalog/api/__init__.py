"""The Python API: releases that are looked up in, measured digests, and proofs."""
