"""One container format a file, each with its FORMAT; `unwrap` finds them."""
