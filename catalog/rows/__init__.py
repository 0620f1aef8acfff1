"""A row of a catalog: one launch configuration and its digest, in Arrow, in the leaves of a log, and in JSON."""
