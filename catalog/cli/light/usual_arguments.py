"""The arguments of a usual command line, for the light paths: options, flags, and one argument."""

from __future__ import annotations

QUIET = {"--quiet": "quiet", "-q": "quiet"}
"""The flag that every command has."""


def usual_arguments(
    arguments: list[str], options: dict[str, str], flags: dict[str, str], argument: str
) -> dict[str, str] | None:
    """The values by what they are called here; None for a command line that has others, one twice, or an empty one.

    options, flags: what each option with a value is called, and each without. argument: what the argument is called.
    """
    found: dict[str, str] = {}
    rest = iter(arguments)
    for word in rest:
        name, equals, value = word.partition("=") if word.startswith("--") else (word, "", "")
        if name in options:
            key, value = options[name], value if equals else next(rest, "")
        elif word in flags:
            key, value = flags[word], "yes"
        else:
            key, value = argument, word
        if key in found or not value or value.startswith("-"):
            return None
        found[key] = value
    return found
