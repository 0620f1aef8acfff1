"""Launches of IGVM files: what each loader hands to the secure processor, and the launch digest that follows."""
