"""cached_property as it is from Python 3.12 on: that of 3.11 locks the property of all objects of a class.

What is computed may come from a host: if that hangs, other catalogs do not wait for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from functools import cached_property as cached_property
else:

    class cached_property:  # noqa: N801 - as in functools
        """A property that is kept once it is computed; two threads that need it at the same time both compute it."""

        def __init__(self, compute):
            self._compute, self.__doc__ = compute, compute.__doc__

        def __set_name__(self, owner, name):
            self._name = name

        def __get__(self, instance, owner=None):
            if instance is None:
                return self
            made = instance.__dict__[self._name] = self._compute(instance)
            return made
