"""Tests of catalog/web/ and of the page: over HTTP and in a browser."""
