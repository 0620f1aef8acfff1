"""Tests of the room abi."""
