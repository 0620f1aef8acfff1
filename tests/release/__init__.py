"""Tests of the room release: specs, the cross product, and catalogs on disk."""
