"""Tests of the room fast."""
