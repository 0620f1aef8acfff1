"""Tests of the room diff."""
