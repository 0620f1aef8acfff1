"""The launch digest of an IGVM file under one loader, as `ldcat measure` gives it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from catalog.abi.digest import LaunchDigest
from catalog.abi.vcpu import VcpuSignature
from catalog.ask.measure_request import Request, signature_of
from catalog.errors import CannotLaunch, UsageError
from catalog.launch.igvm.igvm_component import IgvmComponent
from catalog.launch.igvm.igvm_launch import IgvmLaunch
from catalog.launch.point import check_vcpus
from catalog.launch.profile import VmmProfile
from catalog.launch.technology import technology_named
from catalog.notes import Note, worst_first
from catalog.spec import embedded

_KERNEL = ("kernel", "kernel_sha256", "initrd", "initrd_sha256", "append", "cmdline_sha256", "kernel_hashes")


@dataclass(frozen=True, slots=True)
class MeasuredIgvm:
    """A launch digest of an IGVM file.

    vcpus, signature: None if the digest does not depend on them. ignored: what was given and does not matter.
    """

    name: str
    digest: LaunchDigest
    launch: IgvmLaunch
    vcpus: int | None
    signature: VcpuSignature | None
    ignored: tuple[str, ...]

    def warnings(self) -> list[Note]:
        """That the secure processor refuses the launch, if the ID block of the file expects another digest."""
        return [note for note in self._id_block_notes() if note.severity != "ok"]

    def notes(self) -> list[Note]:
        """Notes: of less weight than warnings."""
        text = f"what {self.launch.vmm.name} launches is known from source code, and no launch was seen"
        found = [Note("loader-not-observed", text)]
        if self.ignored:
            text = f"this digest does not depend on: {', '.join(self.ignored)}"
            found.append(Note("digest-ignores-input", text))
        return found

    def remarks(self) -> list[Note]:
        """Warnings, notes, and that the ID block has the digest, the worst first."""
        return worst_first([*self._id_block_notes(), *self.notes()])

    @property
    def enforced(self) -> str:
        """Whether the kernel hashes are enforced, which no loader passes with an IGVM file."""
        return "unknown"

    @property
    def verdict(self) -> str:
        """Whether a launch is expected, of which nothing is recorded."""
        return "unknown"

    def to_dict(self) -> dict[str, Any]:
        """The JSON of `ldcat measure`: the fields that a digest of an image has, too, and the policy of the file."""
        policy, expected = self.launch.platform.policy, self.launch.platform.expected
        return {
            "launch_digest": self.digest.hex(),
            "technology": self.launch.technology,
            "firmware": self.name,
            "firmware_sha256": self.launch.image.sha256.hex(),
            "kernel_sha256": None,
            "initrd_sha256": None,
            "cmdline_sha256": None,
            "vmm": self.launch.vmm.name,
            "vcpus": self.vcpus,
            "vcpu_signature": self.signature and str(self.signature),
            "sev_features": None,
            "append": None,
            "kernel_hashes_enforced": self.enforced,
            "launchable": self.verdict,
            "policy": None if policy is None else f"{policy:#x}",
            "id_block_digest": expected and expected.hex(),
            "notes": [note.to_dict() for note in self.remarks()],
        }

    def _id_block_notes(self) -> list[Note]:
        expected = self.launch.platform.expected
        if expected is None or self.launch.technology != "sev-snp":
            return []
        which = "this launch digest" if self.vcpus is None else f"the launch digest with {self.vcpus} vCPUs"
        if expected == self.digest.value:
            return [Note("id-block-matches", f"the ID block of the file expects {which}")]
        where = ", ".join(expecting(self.launch, expected))
        refused = "so the secure processor refuses the launch"
        text = f"the ID block of the file expects {expected.hex()[:16]}..., not {which}, {refused}"
        return [Note("id-block-differs", f"{text}; expected is that of {where}" if where else text)]


def expecting(launch: IgvmLaunch, expected: bytes) -> list[str]:
    """Names of the loaders under which a file has a launch digest, with as many vCPUs as it has contexts."""
    launches = (IgvmLaunch(launch.image, launch.technology, vmm) for vmm in embedded.loaders().values())
    return [one.vmm.name for one in launches if digest_of_contexts(one) == expected]


def digest_of_contexts(launch: IgvmLaunch) -> bytes | None:
    """The launch digest with as many vCPUs as the file has contexts, at least one; None if that cannot be launched."""
    vcpus = launch.vcpus_of_contexts
    if launch.blocker or (launch.measures_signature and vcpus > len(launch.platform.contexts)):
        return None
    return _digest(launch, vcpus, None).value


def measure_igvm(name: str, image: IgvmComponent, request: Request, counts: Sequence[int | None]) -> list[MeasuredIgvm]:
    """The launch digests of a request for each vCPU count; one if the digest does not depend on it.

    Raises UsageError for missing or contradictory fields, UnknownName, CannotLaunch.
    """
    vmm = _loader(name, request)
    launch = IgvmLaunch(image, technology_named(request.technology).name, vmm)
    if reason := launch.blocker:
        raise CannotLaunch(f"{launch.technology} cannot launch this: {reason}")
    signature = signature_of(request)
    if not launch.measures_vcpus:
        given = (("vcpus", counts[0]), ("vCPU type", signature), ("sev_features", request.sev_features))
        ignored = tuple(what for what, value in given if value is not None)
        return [MeasuredIgvm(name, _digest(launch, 1, None), launch, None, None, ignored)]
    few = all(count is None or count <= len(launch.platform.contexts) for count in counts)
    unused = signature is not None and (few or not launch.measures_signature)
    given_too = (("vCPU type", unused), ("sev_features", request.sev_features is not None))
    ignored = tuple(what for what, is_ignored in given_too if is_ignored)
    return [_measured(name, launch, count, signature, ignored) for count in counts]


def _measured(
    name: str, launch: IgvmLaunch, vcpus: int | None, signature: VcpuSignature | None, ignored: tuple[str, ...]
) -> MeasuredIgvm:
    if vcpus is None:
        raise UsageError(f"{launch.vmm.name} measures every vCPU, but no number of vCPUs is given")
    check_vcpus(vcpus)
    if reason := launch.vcpus_blocker(vcpus):
        raise CannotLaunch(f"{launch.technology} cannot launch this: {reason}")
    resets = launch.measures_signature and vcpus > len(launch.platform.contexts)
    if resets and signature is None:
        raise UsageError(
            f"{launch.vmm.name} measures the signature of vCPUs without a context in the file, and none is given",
            "give --vcpu-type NAME, --vcpu-signature NUMBER, or family, model and stepping",
        )
    measured = signature if resets else None
    return MeasuredIgvm(name, _digest(launch, vcpus, measured), launch, vcpus, measured, ignored)


def _digest(launch: IgvmLaunch, vcpus: int, signature: VcpuSignature | None) -> LaunchDigest:
    technology = technology_named(launch.technology)
    state = launch.baseline
    for update in launch.vmsa_updates(vcpus, signature):
        state = technology.extend(state, update)
    return technology.finish(state)


def _loader(name: str, request: Request) -> VmmProfile:
    loaders = embedded.loaders()
    known = f"one of: {', '.join(one.name for one in loaders.values() if request.technology in one.technologies)}"
    if given := [field for field in _KERNEL if getattr(request, field) is not None]:
        raise UsageError(f"{given[0]} is given, and an IGVM file brings all that its loaders measure")
    if request.vmm is None:
        raise UsageError(f"the digest of an IGVM file depends on its loader, but no VMM is given for {name}", known)
    if request.vmm not in loaders:
        launched = embedded.profile_named(request.vmm)
        raise UsageError(f"{launched.name} launches firmware images, and {name} is an IGVM file", known)
    return loaders[request.vmm]
