"""Tests of the room prove."""
