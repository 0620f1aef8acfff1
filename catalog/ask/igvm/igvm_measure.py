"""The launch digest of an IGVM file under one loader, as `ldcat measure` gives it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from catalog.abi.digest import LaunchDigest
from catalog.abi.kernel_hashes import KernelHashes
from catalog.abi.vcpu import VcpuSignature
from catalog.ask.igvm.igvm_notes import file_notes
from catalog.ask.igvm.opened_igvm import OpenedIgvm, digests_of
from catalog.ask.measure_request import Request, signature_of
from catalog.errors import UnknownName, UsageError
from catalog.firmware.build import NOT_RECORDED, LaunchableWire
from catalog.launch.igvm.igvm_launch import IgvmLaunch
from catalog.launch.launch_notes import kernel_warnings, why
from catalog.launch.point import check_vcpus
from catalog.launch.profile import VmmProfile
from catalog.launch.technology import refused, technology_named
from catalog.notes import Note, worst_first
from catalog.rows.launch_config import LaunchConfig
from catalog.rows.numbers import parse_number
from catalog.spec import embedded

_KERNEL = {
    "kernel": "--kernel",
    "kernel_sha256": "--kernel-sha256",
    "initrd": "--initrd",
    "initrd_sha256": "--initrd-sha256",
    "append": "--append",
    "cmdline_sha256": "--append-sha256",
    "kernel_hashes": "--kernel-hashes",
}
"""Options of what is measured of a kernel, by the field of a request."""


@dataclass(frozen=True, slots=True)
class MeasuredIgvm:
    """A launch digest of an IGVM file.

    vcpus, signature: None if the digest does not depend on them. ignored: what was given and does not matter.
    append: the measured command line; None if only its hash is known, or if there is no kernel.
    """

    opened: OpenedIgvm
    digest: LaunchDigest
    launch: IgvmLaunch
    vcpus: int | None
    signature: VcpuSignature | None
    ignored: tuple[str, ...]
    append: str | None

    @property
    def name(self) -> str:
        return self.opened.name

    @property
    def enforced(self) -> str:
        """Whether the kernel hashes are enforced, which nobody knows of an IGVM file."""
        return "unknown"

    @property
    def launchable(self) -> LaunchableWire:
        """What is recorded about its launch."""
        record = self.opened.record  # the build of a file would have its states under every loader
        return record.launchability(self.launch.technology) if record else NOT_RECORDED

    @property
    def verdict(self) -> str:
        """Whether a launch is expected: yes, no or unknown."""
        return self.launchable.verdict

    def config(self) -> LaunchConfig:
        """The launch configuration."""
        launch = self.launch
        return LaunchConfig(
            launch.technology,
            launch.image,
            launch.kernel_hashes,
            launch.vmm,
            vcpu_signature=self.signature,
            vcpus=self.vcpus,
        )

    def warnings(self) -> list[Note]:
        """What is odd about the file and its kernel, and that the secure processor refuses it for its ID block."""
        found = [note for note in self._of_file() if note.severity in ("danger", "warning")]
        if self.verdict == "no":
            reason = why(self.launch.technology, self.launchable.reason, self.launchable.source)
            found.append(Note("launch-not-expected", f"{self.name} is not expected to launch under {reason}"))
        return [*found, *(kernel_warnings(self.name, self.enforced) if self.launch.kernel_hashes else [])]

    def notes(self) -> list[Note]:
        """Notes: of less weight than warnings."""
        text = f"no launch was seen under {self.launch.vmm.name}: docs/igvm.md says what it rests on"
        notes = [note for note in self._of_file() if note.severity in ("ok", "info")]
        notes.append(Note("loader-not-observed", text))
        if self.ignored:
            text = f"this digest does not depend on: {', '.join(self.ignored)}"
            notes.append(Note("digest-ignores-input", text))
        return notes

    def remarks(self) -> list[Note]:
        """Warnings and notes, the worst first."""
        return worst_first([*self.warnings(), *self.notes()])

    def to_dict(self) -> dict[str, Any]:
        """The JSON of `ldcat measure`: the fields that a digest of an image has, too, and two more.

        sev_features: those of the file's VMSAs. policy: guest policy. id_block_digest: what the ID block expects.
        """
        policy, expected = self.launch.platform.policy, self.launch.platform.expected
        hashes = self.launch.kernel_hashes
        return {
            "launch_digest": self.digest.hex(),
            "technology": self.launch.technology,
            "firmware": self.name,
            "firmware_sha256": self.launch.image.sha256.hex(),
            "kernel_sha256": hashes and hashes.kernel.hex(),
            "initrd_sha256": hashes and hashes.initrd.hex(),
            "cmdline_sha256": hashes and hashes.cmdline.hex(),
            "vmm": self.launch.vmm.name,
            "vcpus": self.vcpus,
            "vcpu_signature": self.signature and str(self.signature),
            "sev_features": f"{self.launch.sev_features:#x}" if self.launch.platform.contexts else None,
            "append": self.append,
            "kernel_hashes_enforced": self.enforced,
            "launchable": self.verdict,
            "policy": None if policy is None else f"{policy:#x}",
            "id_block_digest": expected and expected.hex(),
            "notes": [note.to_dict() for note in self.remarks()],
        }

    def _of_file(self) -> list[Note]:
        return [*self._id_block_notes(), *file_notes(self.opened.file, self.launch.image)]

    def _id_block_notes(self) -> list[Note]:
        expected = self.launch.platform.expected
        if expected is None:
            return []
        with_vcpus = "" if self.vcpus is None else f" with --vcpus {self.vcpus}"
        under = f"{self.launch.vmm.name}{with_vcpus}"
        if expected == self.digest.value:
            return [Note("id-block-matches", f"the ID block of the file expects the digest under {under}")]
        loaders = ", ".join(self.opened.expected_by("sev-snp")) or "no known loader"
        text = f"the ID block of the file expects {expected.hex()[:16]}..., the digest under {loaders}"
        return [Note("id-block-differs", f"{text}: under {under} the secure processor refuses the launch")]


def measure_igvm(
    opened: OpenedIgvm,
    vmm: VmmProfile,
    request: Request,
    counts: Sequence[int | None],
    hashes: KernelHashes | None,
    append: str | None,
) -> list[MeasuredIgvm]:
    """The launch digests of a request for each vCPU count; one if the digest does not depend on it.

    vmm: of `loader_of`. hashes, append: the kernel hashes of the request, and its command line if that is known.

    Raises UsageError for missing or contradictory fields, UnknownName, CannotLaunch.
    """
    technology = technology_named(request.technology).name
    for count in counts:
        check_vcpus(1 if count is None else count)
    launch = IgvmLaunch(opened.component(vmm.name, technology), technology, vmm, hashes)
    if reason := launch.blocker:
        raise refused(technology, reason, "ldcat inspect shows what each loader launches of it")
    signature = signature_of(request)
    features = None if request.sev_features is None else parse_number(request.sev_features)
    uses_signature = any(launch.uses_signature(n or 0) for n in counts)
    given = {
        "vcpus": counts[0] is not None and not launch.measures_vcpus,
        "vCPU type": signature is not None and not uses_signature,
        "--sev-features, because those of the file are launched": features not in (None, launch.sev_features),
    }
    ignored = tuple(what for what, is_ignored in given.items() if is_ignored)
    if not launch.measures_vcpus:
        return [MeasuredIgvm(opened, digests_of(launch, [1], None)[1], launch, None, None, ignored, append)]
    numbers = [_checked(launch, count, signature) for count in counts]
    digests = digests_of(launch, numbers, signature)
    return [
        MeasuredIgvm(opened, digests[n], launch, n, signature if launch.uses_signature(n) else None, ignored, append)
        for n in numbers
    ]


def _checked(launch: IgvmLaunch, vcpus: int | None, signature: VcpuSignature | None) -> int:
    """The number of vCPUs, if the file can be launched with it."""
    if vcpus is None:
        raise UsageError(f"{launch.vmm.name} measures every vCPU, but no number of vCPUs is given", "give --vcpus")
    if reason := launch.vcpus_blocker(vcpus):
        raise refused(launch.technology, reason)
    if launch.uses_signature(vcpus) and signature is None:
        raise UsageError(
            f"{launch.vmm.name} measures the signature of vCPUs without a context in the file, and none is given",
            "give --vcpu-type NAME, --vcpu-signature NUMBER, or family, model and stepping",
        )
    return vcpus


def loader_of(opened: OpenedIgvm, request: Request) -> VmmProfile:
    """The profile of the loader of a request.

    Raises UsageError without one, and for a kernel that it passes no hashes of; UnknownName.
    """
    name, technology = opened.name, technology_named(request.technology).name
    loaders = {key: one for key, one in embedded.loaders().items() if technology in one.technologies}
    known = f"one of: {', '.join(loaders)}"
    if request.vmm is None:
        raise UsageError(f"the digest of an IGVM file depends on its loader, but no VMM is given for {name}", known)
    if request.vmm in embedded.profiles():
        raise UsageError(f"{request.vmm} launches firmware images, and {name} is an IGVM file", known)
    if request.vmm not in embedded.loaders():
        raise UnknownName("loader of IGVM files", request.vmm, embedded.loaders())
    loader = embedded.loaders()[request.vmm]
    if given := [option for field, option in _KERNEL.items() if getattr(request, field) is not None]:
        takes = [name for name, one in loaders.items() if one.igvm and one.igvm.kernel_hashes_gpa is not None]
        if loader.name not in takes:
            hint = f"leave it out; with them launch: {', '.join(takes) or 'none'}"
            raise UsageError(f"{given[0]} is given, but {loader.name} passes no kernel hashes with an IGVM file", hint)
    return loader
