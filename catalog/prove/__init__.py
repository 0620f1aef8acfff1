"""Prove: proof bundles of a row and its revocation status, made, and verified without the log or the catalog."""
