"""The command `ldcat`: options, commands, exit codes."""
