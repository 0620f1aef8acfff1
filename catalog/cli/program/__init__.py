"""The command `ldcat` as a whole: its commands put together, with typer or, in a slim install, without it."""
