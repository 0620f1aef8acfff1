"""Tests of the room query: lookup, measure, SQL and inspect."""
