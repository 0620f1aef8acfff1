"""Exports over HTTP: their parameters and their routes."""
