"""What is made from help pages: man pages, and completion for shells."""
