"""Match: one configuration that has the digest of a lookup, with the notes that a reader needs."""

from __future__ import annotations

import os

from catalog.notes import Note, worst_first
from catalog.rows.fields import AXES, BESIDE_COMPONENTS, is_from_igvm

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

_AXES = tuple(field.name for field in AXES)
_BESIDE = tuple((field.name, field.kind.text, field.beside) for field in BESIDE_COMPONENTS)

PROVENANCE = ("distribution", "suite", "package", "version", "package_sha256", "path")

_FIRMWARE = ("name", "sha256", "sha384", "size", "snp_baseline", "firmware_version", *PROVENANCE)
_BASE = ("name", "launch_digest", "vcpus", "endorser")
_KERNEL_HASHES = ("name", "table_sha256", "kernel_sha256", "initrd_sha256", "cmdline_sha256", "append")

CLAIMED = (
    "firmware.name",
    "firmware.sha384",
    "firmware.firmware_version",
    *(f"firmware.{name}" for name in PROVENANCE),
    "kernel_hashes.name",
    "kernel_hashes_enforced",
    "vmm_title",
    "vcpu_types",
    "launchable",
    "launchable_reason",
    "launchable_source",
    "notes",
)
"""Fields of a match in JSON that follow from no hash of its row: they are claims of the publisher."""

TAKING_KERNEL_HASHES = ("sev", "sev-es", "sev-snp")
"""Technologies whose digests cover kernel hashes if the VMM passes them: the same as `takes_kernel_hashes` in
catalog/launch/technologies/, which the fast path does not load. Any other technology gets a note that is true of all.
"""

CLAIMS = Note(
    "publisher-claims",
    "names, where a build was published, whether it launches and what it enforces are the publisher's claims: "
    "no hash proves them",
)


class Match:
    """One configuration with the digest of a lookup.

    row: values of the fields of a digest record, by name; None: not measured.
    firmware: name, sha256, sha384, size, snp_baseline, firmware_version, kernel_hashes_enforced and PROVENANCE of the
        build; a fact that is not known is None. Empty for a row that follows from a base.
    kernel_hashes: name, append and hashes, or None.
    base: name, launch_digest, vcpus and endorser of the base that the row follows from, or None.
    vmm_title: title of the VMM profile.
    vcpu_types: names of the vCPU signature.
    launchable: verdict, reason and source.
    listed: whether the catalog lists the vCPU count; if not, it was found from a distinguished digest.
    revocation: severity and reason, if the log of the catalog revokes or deprecates the row, or the endorsement of its
        base.
    refused: why --min-svn refuses the endorsement of its base; None if it does not.
    """

    __slots__ = (
        "base",
        "firmware",
        "kernel_hashes",
        "launchable",
        "launchable_reason",
        "launchable_source",
        "listed",
        "refused",
        "revocation",
        "row",
        "vcpu_types",
        "vmm_title",
    )

    def __init__(
        self,
        row: Mapping[str, Any],
        *,
        firmware: Mapping[str, Any] | None = None,
        kernel_hashes: Mapping[str, Any] | None = None,
        base: Mapping[str, Any] | None = None,
        vmm_title: str | None,
        vcpu_types: tuple[str, ...],
        launchable: tuple[str, str, str] = ("unknown", "", ""),
        listed: bool = True,
        revocation: tuple[str, str] | None = None,
    ) -> None:
        self.row = row
        self.base = base
        self.listed = listed
        self.revocation = revocation
        self.refused: str | None = None
        self.firmware = firmware or {}
        self.kernel_hashes = kernel_hashes
        self.vmm_title = vmm_title
        self.vcpu_types = vcpu_types
        self.launchable, self.launchable_reason, self.launchable_source = launchable

    def __getattr__(self, name: str) -> Any:
        """The value of a field of the row, such as match.vmm or match.vcpus."""
        if name != "row" and name in self.row:
            return self.row[name]
        raise AttributeError(name)

    def __repr__(self) -> str:
        row, known = self.row, self.base or self.firmware
        return f"<Match {row['technology']}: {known['name']}, {row['vmm']}, {row['vcpus']} vCPUs>"

    @property
    def inferred(self) -> bool:
        """Whether the row follows from a base: a published digest, of which the firmware is not known."""
        return self.row.get("base_digest") is not None

    @property
    def kernel_hashes_enforced(self) -> str:
        """Whether this firmware refuses a kernel that differs from the measured one: yes, no or unknown."""
        return str(self.firmware.get("kernel_hashes_enforced", "unknown"))

    def notes(self) -> list[Note]:
        """Notes to read before relying on this digest, the worst first. No note says that it can be trusted."""
        notes, technology = revocation_notes(self.revocation), self.row["technology"]
        if self.base:
            refused = [refusal_note(self.refused)] if self.refused else []
            return worst_first([*notes, *refused, inferred_note(self.base)])
        if self.kernel_hashes is None:
            notes.append(no_kernel_note(technology, from_igvm=is_from_igvm(self.row)))
        else:
            notes.append(kernel_note(self.kernel_hashes_enforced, self.firmware["version"]))
        notes += launch_notes(technology, self.launchable, self.launchable_reason)
        if not self.listed:
            text = f"the catalog does not list {self.vcpus} vCPUs: found by adding vCPUs, and measured"
            notes.append(Note("vcpus-not-listed", text))
        return worst_first(notes)

    def details(self, name: str) -> str | None:
        """The text in parentheses after the value of a field; None if there is none."""
        if name == "vcpu_signature":
            return ", ".join(self.vcpu_types) or "no name"
        return self.vmm_title if name == "vmm" else None

    def to_dict(self) -> dict[str, Any]:
        """The match in JSON, as docs/command-line.md describes it: hashes in hex, bit fields in 0x-hex."""
        row = self.row
        shown: dict[str, Any] = {"launch_digest": row["launch_digest"].hex(), "technology": row["technology"]}
        if self.base:
            shown["base"] = _in_json(self.base, _BASE)
        else:
            shown["firmware"] = _in_json(self.firmware, _FIRMWARE)
            shown["kernel_hashes"] = self.kernel_hashes and _in_json(self.kernel_hashes, _KERNEL_HASHES)
            shown["kernel_hashes_enforced"] = self.kernel_hashes_enforced
        for name, text, beside in _BESIDE:
            value = row[name]
            shown[name] = None if value is None else text(value)
            if beside:
                more = getattr(self, beside)
                shown[beside] = list(more) if isinstance(more, tuple) else more
        if self.base:
            shown["refused"] = self.refused
        else:
            shown["launchable"] = self.launchable
            shown["launchable_reason"] = self.launchable_reason
            shown["launchable_source"] = self.launchable_source
        shown["revocation"] = self.revocation and dict(zip(("severity", "reason"), self.revocation, strict=True))
        shown["notes"] = [note.to_dict() for note in self.notes()]
        return shown

    def order(self) -> tuple[str | int, ...]:
        """Sort key of matches: technology, name of firmware or base, kernel name, VMM profile, then the axes."""
        row = self.row
        return (
            row["technology"],
            self.base["name"] if self.base else self.firmware["name"],
            self.kernel_hashes["name"] if self.kernel_hashes else "",
            row["vmm"] or "",
            *[-1 if row[name] is None else row[name] for name in _AXES],
        )


def verifier_halts(version: str | None) -> bool:
    """Whether a package version is of an edk2 whose verifier of kernel hashes halts on a mismatch.

    Source: edk2 pull request 5769, first released in edk2-stable202408. Debian's versions begin with the edk2 release.
    """
    return version is not None and version[:4].isdigit() and version[4:5] == "." and version[:7] >= "2024.08"


def shared_digest(matches: Sequence[Match]) -> list[Note]:
    """A note if several configurations have the digest."""
    return shared_by(len(matches))


def shared_by(count: int) -> list[Note]:
    """A note if the number of configurations with one digest is more than one."""
    text = f"{count} configurations have this digest: it does not say which of them was launched"
    return [Note("several-configurations", text)] if count > 1 else []


def launch_notes(technology: str, launchable: str, reason: str) -> list[Note]:
    """A note if a build is not known, or not expected, to launch under a technology. reason: of the verdict."""
    if launchable == "yes":
        return []
    if launchable == "no":
        return [Note("launch-not-expected", f"this build is not expected to launch under {technology}: {reason}")]
    return [Note("launch-not-known", f"this build is not known to launch under {technology}: {reason}")]


def endorser_text(endorser: Mapping[str, Any]) -> str:
    """Who endorses a launch digest, for people, such as `azure-uvm, did:x509:..., feed F, SVN 100`."""
    feed, svn = endorser["feed"], endorser["svn"]
    parts = (endorser["scheme"], endorser["id"], feed and f"feed {feed}", None if svn is None else f"SVN {svn}")
    return ", ".join(part for part in parts if part)


def inferred_note(base: Mapping[str, Any]) -> Note:
    """The note for a row that follows from a base, which is shown with the row. base: as in Match."""
    anybody = "whoever knows one launch digest can compute those with more vCPUs"
    if base["endorser"]["scheme"] == "reported":
        return Note("base-not-endorsed", f"inferred: nobody endorses the base, and {anybody}")
    return Note("inferred", f"inferred: {anybody}")


def refusal_note(reason: str) -> Note:
    """The note for an endorsement that --min-svn refuses."""
    return Note("svn-refused", f"refused: {reason}")


def revocation_notes(revocation: tuple[str, str] | None) -> list[Note]:
    """A note if a log revokes or deprecates a row. revocation: severity, which is the code of the note, and reason."""
    if revocation is None:
        return []
    return [Note(revocation[0], "{} by the publisher of this log: {}".format(*revocation))]


def no_kernel_note(technology: str, *, from_igvm: bool = False) -> Note:
    """The note for a launch without kernel hashes: what is known about the booted kernel.

    from_igvm: whether an IGVM file was launched, which may have a kernel in it.
    """
    if from_igvm:
        text = "the launch digest covers the pages of the IGVM file; whether a kernel is among them is not known"
        return Note("digest-covers-igvm-file", text)
    if technology == "tdx":
        text = "an MRTD covers the firmware alone: the TD measures what it boots into RTMR1 and RTMR2"
    elif technology in TAKING_KERNEL_HASHES:
        text = "no kernel hashes were measured: the host chose what the firmware boots"
    else:
        text = "the launch digest does not cover what the firmware boots"
    return Note("digest-covers-no-kernel", text)


def kernel_note(enforced: str, version: str | None) -> Note:
    """The note for measured kernel hashes: what is known about the booted kernel.

    enforced: yes, no or unknown. version: of the firmware's package.
    """
    if enforced == "yes" and verifier_halts(version):
        return Note(
            "kernel-hashes-enforced",
            "kernel, initrd and command line are measured, and the firmware carries the verifier that enforces it",
        )
    if enforced == "yes":
        return Note(
            "kernel-hashes-may-not-halt",
            "kernel, initrd and command line are measured, and the firmware carries the verifier, which may not halt "
            "when one differs: in edk2 before 2024-08 (pull request 5769) it does not",
        )
    if enforced == "no":
        return Note(
            "kernel-hashes-not-enforced",
            "kernel hashes are measured but not enforced: this firmware lacks the verifier "
            "and boots any kernel the host passes",
        )
    text = "kernel hashes are measured; whether this firmware enforces them is unknown"
    return Note("kernel-hashes-maybe-enforced", text)


def _in_json(component: Mapping[str, Any], names: Sequence[str]) -> dict[str, Any]:
    return {name: value.hex() if isinstance(value := component[name], bytes) else value for name in names}


def known_technologies() -> set[str]:
    """Names of the technologies that this version knows, each a file of launch/technologies, which is not loaded."""
    package = os.path.dirname(os.path.dirname(__file__))  # noqa: PTH120 - pathlib takes 8 ms
    files = os.listdir(f"{package}/launch/technologies")  # noqa: PTH208
    return {name[:-3].replace("_", "-") for name in files if name.endswith(".py") and not name.startswith("_")}
