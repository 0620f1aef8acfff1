"""The light path of `ldcat measure`: the SEV-SNP launch digest of an image file, as one line of hex.

Whatever this path does not know takes the full path (cli/main.py), which has the same answers.
"""

from __future__ import annotations

import os

from catalog.cli.light.usual_arguments import QUIET, usual_arguments
from catalog.errors import LdcatError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from catalog.firmware.blob_verifier import Enforced
    from catalog.spec.plain_measure import PlainRequest

_OPTIONS = {
    "--technology": "technology",
    "-t": "technology",
    "--vmm": "vmm",
    "--vcpus": "vcpus",
    "--vcpu-type": "vcpu_type",
    "--kernel": "kernel",
    "--initrd": "initrd",
    "--append": "append",
    "--format": "format",
    "-f": "format",
}
"""What each option with a value is called here."""

_OTHERWISE = ("LDCAT_FORMAT", "LDCAT_QUIET", "LDCAT_CATALOG")
"""Environment variables that need the full path."""

_COMMAND = f"{__file__.rpartition('/light/')[0]}/commands/measure.py"
"""Which a slim install does not have."""

_MOST_VCPUS = 4096


def light_measure(arguments: list[str]) -> tuple[str, str, int] | None:
    """What to print on stdout and stderr, and the exit code; None: take the full path."""
    given = usual_arguments(arguments, _OPTIONS, QUIET, "firmware")
    if given is None or any(os.environ.get(name) for name in _OTHERWISE) or not os.path.exists(_COMMAND):  # noqa: PTH110
        return None
    request = _request(given)
    if request is None:
        return None
    from catalog.fast.match_text import printable
    from catalog.spec.plain_measure import plain_measured

    try:
        measured = plain_measured(request, _enforced_by)
    except (LdcatError, OSError, ValueError):  # which the full path reports
        return None
    if measured is None:
        return None
    said = [f"ldcat: warning: {printable(note.text)}\n" for note in measured.warnings]
    if "quiet" not in given:
        said += [f"ldcat: note: {printable(note.text)}\n" for note in measured.notes]
    return measured.digest.hex() + "\n", "".join(said), 0


def _enforced_by(image: bytes) -> Enforced:
    from catalog.state.known_volumes import enforced_by

    return enforced_by(image)


def _request(given: dict[str, str]) -> PlainRequest | None:
    from catalog.spec.plain_measure import PlainRequest

    firmware, vcpus = given.get("firmware", ""), given.get("vcpus", "")
    if not vcpus.isascii() or not vcpus.isdigit() or len(vcpus) > 4 or vcpus[0] == "0":
        return None
    is_snp = given.get("technology") == "sev-snp" and given.get("format", "hex") == "hex"
    has_kernel = bool(given.get("kernel")) and given.get("initrd") != ""
    if not is_snp or not firmware or firmware.endswith(".toml") or not {"vmm", "vcpu_type"} <= given.keys():
        return None
    if int(vcpus) > _MOST_VCPUS or ({"kernel", "initrd", "append"} & given.keys() and not has_kernel):
        return None
    return PlainRequest(
        firmware,
        given["vmm"],
        given["vcpu_type"],
        int(vcpus),
        given.get("kernel"),
        given.get("initrd"),
        given.get("append"),
    )
