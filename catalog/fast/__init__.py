"""The fast path: a plain `ldcat lookup DIGEST` is answered before anything but Python itself is loaded."""
