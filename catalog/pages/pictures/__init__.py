"""Pictures: inline SVG for pages, and text for terminals. Their colours are in templates/page.css."""
