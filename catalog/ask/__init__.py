"""Ask: what a catalog says about evidence, and what can be measured or inspected without a catalog."""
