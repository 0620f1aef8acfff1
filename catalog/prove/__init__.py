"""Prove: a row and its revocation status, for someone who has neither the log nor the catalog."""
