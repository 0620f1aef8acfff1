"""The first use of the default catalog on a machine builds it, once, from what is embedded in ldcat."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

from catalog.cli.program.chosen_backend import hash_backend
from catalog.errors import LdcatError, Unreadable
from catalog.files.inputs import unreadable
from catalog.files.writer import made_folders, open_lock, opened
from catalog.state.folders import default_catalog, receipts
from catalog.state.missing_packages import how_to_get
from catalog.terminal import render

LOCK = ".catalog.ldcat-lock"
"""In the folder of the default catalog. The folder itself could be locked by whoever can read it, for ever."""

_HINT = "name a catalog with --catalog DIR or URL, or another data folder with XDG_DATA_HOME"


def made_default(*, quiet: bool) -> Path:
    """The folder of the default catalog, which is built now if nothing is there. Nothing is ever replaced.

    If several processes ask at once, one builds, and the others wait for it. Raises as `build_catalog`, with a hint
    for somebody who did not ask for a build.
    """
    folder = default_catalog()
    if is_there(folder):
        return folder
    if not find_spec("pyarrow"):  # a slim install
        raise Unreadable(
            f"no catalog at {folder}, and building one needs pyarrow",
            f"name one with --catalog DIR or URL, or: {how_to_get('full')}",
        )
    try:
        with _alone(folder.parent, quiet=quiet):
            if not is_there(folder):  # nobody has built it meanwhile
                _build(folder, quiet=quiet)
    except LdcatError as error:
        raise type(error)(f"no catalog yet, and none can be built: {error}", _HINT) from error
    return folder


def is_there(folder: Path) -> bool:
    """Whether the folder exists, or the one before it, which an interrupted `ldcat build` left."""
    return os.path.lexists(folder) or folder.with_name(f".{folder.name}.ldcat-previous").exists()


@contextmanager
def _alone(folder: Path, *, quiet: bool) -> Iterator[None]:
    """Only one process at a time is in here. The lock ends with the process, and no other user can open its file."""
    try:
        made_folders(folder)
        with opened(folder) as descriptor:
            lock = open_lock(descriptor, LOCK, private=True)
    except OSError as error:
        raise unreadable(folder, error) from error
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if not quiet:
                render.note("another process is building the default catalog: waiting for it")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


def _build(folder: Path, *, quiet: bool) -> None:
    from catalog.build.builder import build_catalog
    from catalog.spec.catalog_spec import load_spec
    from catalog.work.engine import local_engine, processors

    backend = hash_backend()
    if not quiet:
        slow = "" if backend.compiled else "; without compiled code this takes minutes"
        render.note(f"no catalog yet: building the default one, once, in {folder}{slow}")
    with (
        render.progress(quiet=quiet, plain=False) as begin,
        local_engine(processors(), threads=backend.compiled) as engine,
    ):
        build_catalog(
            load_spec(None), folder, engine=engine, backend=backend, receipts=receipts(), start_progress=begin
        )
