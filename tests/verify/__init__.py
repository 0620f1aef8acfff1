"""Tests of the room verify."""
