"""What is said of a build of which nobody has recorded whether it launches."""

from __future__ import annotations

NOT_RECORDED_REASON = "nobody has recorded it for this build"
"""These words are in the files of catalogs, which audits recompute byte for byte: another text is another format."""
