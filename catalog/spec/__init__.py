"""What a catalog consists of: components, axes and constraints, and their cross product; the embedded data."""
