"""The leaves of a catalog's log: records, revocations, the rules they follow, and the folder that holds them."""
