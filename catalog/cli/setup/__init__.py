"""What `ldcat init` and `ldcat trust` print and check when a log is set up."""
