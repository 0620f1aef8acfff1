"""Many leaves of a log at once, as columns: their texts, hashes, digests, vCPU counts, and what rows share."""
