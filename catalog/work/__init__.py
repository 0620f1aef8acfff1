"""Where long work runs: threads, processes or a Dask cluster, and how its progress is reported."""
