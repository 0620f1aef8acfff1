"""Commands for whoever maintains the records of `data/`; no part of the installed package."""
