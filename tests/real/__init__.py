"""Tests on published firmware and on vectors of other projects; collected only with --real."""
