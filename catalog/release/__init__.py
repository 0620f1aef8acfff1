"""From a spec to the files of a catalog: the cross product, its rows, and what travels beside them."""
