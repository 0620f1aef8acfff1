"""Tests of the room ask."""
