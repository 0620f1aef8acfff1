"""People and programs: the terminal, the environment and the exit codes."""
