"""A row of a catalog: one launch configuration and its digest, in each form that it has."""
