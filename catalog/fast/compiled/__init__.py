"""Lookups in compiled code, for a process that makes many: loaded after some, never for one."""
