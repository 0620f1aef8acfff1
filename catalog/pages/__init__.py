"""Pages: HTML and SVG of releases, answers and diffs; the scripts of the lookup page."""
