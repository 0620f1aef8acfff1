"""Pages: HTML and SVG of releases, answers and diffs; scripts of the lookup page."""
