"""Publish: make a catalog a signed release of a log; keys, cosignatures, witnesses, a folder for a static host."""
