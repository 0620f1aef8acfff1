"""Pictures: inline SVG for pages, and what stands for it in a terminal. Their colours are in templates/page.css."""
