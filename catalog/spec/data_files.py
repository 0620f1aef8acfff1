"""Where the data that ships with ldcat lies: the folder data/, inside the installed package or beside it."""

from __future__ import annotations

import os

_PACKAGE = os.path.dirname(os.path.dirname(os.path.realpath(__file__)))  # noqa: PTH120 - pathlib takes longer than a launch


def data_path(name: str = "") -> str:
    """The path of a file or folder of data/, by its name in it; of data/ itself without a name."""
    installed = f"{_PACKAGE}/data"
    folder = installed if os.path.isdir(installed) else f"{os.path.dirname(_PACKAGE)}/data"  # noqa: PTH112, PTH120
    return f"{folder}/{name}" if name else folder


def data_names(folder: str) -> list[str]:
    """The names of the files in a folder of data/."""
    return os.listdir(data_path(folder))  # noqa: PTH208


def data_text(name: str) -> str:
    """The text of a file of data/."""
    with open(data_path(name), encoding="utf-8") as file:  # noqa: PTH123
        return file.read()
