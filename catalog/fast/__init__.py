"""The fast path: answers a plain `ldcat lookup DIGEST` with nothing loaded but what Python has loaded anyway."""
