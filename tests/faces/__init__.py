"""Tests of the room faces: the command line as people and programs meet it."""
