"""What this machine found in the compressed volumes of firmware images, which take long to unpack.

For each set of volumes an empty file `enforced/HASH-VERDICT` in the state folder. It says no more than unpacking them
again would, so it may be lost at any time.
"""

from __future__ import annotations

import os

from catalog.fast.beneath import open_file
from catalog.fast.xdg import state_home
from catalog.firmware.blob_verifier import Enforced, enforcement_in
from catalog.firmware.lzma_sections import sections_sha256

_FOLDER = "enforced"
_KNOWN = (Enforced.YES, Enforced.NO)


def enforced_by(image: bytes) -> Enforced:
    """Whether the firmware in an image refuses a kernel that differs from the measured one, as `enforcement_in` says.

    Raises OSError if the state folder cannot be read, or if others can write it.
    """
    name, home = sections_sha256(image).hex(), state_home()
    for verdict in _KNOWN if home else ():
        try:
            os.close(open_file(f"{home}", f"{_FOLDER}/{name}-{verdict.value}", private=True))
        except (FileNotFoundError, NotADirectoryError):
            continue
        return verdict
    found = enforcement_in(image).enforced
    if home and found in _KNOWN:
        from pathlib import Path

        from catalog.state.receipts import Receipts

        Receipts(Path(home) / _FOLDER).keep(f"{name}-{found.value}")
    return found
