"""Tests on published firmware and the vectors of other projects; collected with --real alone."""
