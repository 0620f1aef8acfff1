"""Runs long work in threads, processes or a Dask cluster, and reports its progress."""
