"""What a catalog is made of: components, axes and constraints, and the cross product of them."""
