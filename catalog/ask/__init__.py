"""Ask: what a catalog says about evidence, and what can be measured, read or built without one."""
