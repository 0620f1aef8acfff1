"""Notes on a launch digest that was measured, of which each form of `ldcat measure` says the same."""

from __future__ import annotations

from catalog.notes import Note


def not_known(build: str, technology: str, reason: str, source: str) -> Note:
    """The note for a build that is not known to launch. reason, source: of the verdict; the source may be empty."""
    return Note("launch-not-known", f"{build} is not known to launch under {why(technology, reason, source)}")


def why(technology: str, reason: str, source: str) -> str:
    """A technology, and the reason of a verdict with its source."""
    return f"{technology}: {reason}" + (f" ({source})" if source else "")


def kernel_warnings(build: str, enforced: str) -> list[Note]:
    """A warning if measured kernel hashes are not enforced, or if that is unknown. enforced: yes, no or unknown."""
    if enforced == "no":
        text = f"{build} does not enforce kernel hashes: it boots any kernel the host passes"
        return [Note("kernel-hashes-not-enforced", text)]
    if enforced == "unknown":
        return [Note("kernel-hashes-maybe-enforced", f"whether {build} enforces kernel hashes is unknown")]
    return []
