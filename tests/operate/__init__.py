"""Tests of catalog/operate/."""
