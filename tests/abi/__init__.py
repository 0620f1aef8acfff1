"""Tests of catalog/abi/."""
