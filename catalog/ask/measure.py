"""Measure on demand: a configuration given by names, hashes and files, alone or as a line of a batch."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from catalog.abi.digest import LaunchDigest
from catalog.abi.kernel_hashes import KernelHashes, hash_cmdline
from catalog.ask.igvm.igvm_measure import MeasuredIgvm, loader_of, measure_igvm
from catalog.ask.igvm.opened_igvm import OpenedIgvm
from catalog.ask.measure_request import Request, parse_fields, request_from, signature_of
from catalog.errors import LdcatError, UnknownName, UsageError
from catalog.fast.match import kernel_note, no_kernel_note, verifier_halts
from catalog.files import inputs
from catalog.firmware.blob_verifier import Enforced
from catalog.firmware.build import FirmwareBuild, LaunchableWire
from catalog.firmware.component import FirmwareComponent
from catalog.firmware.kernel_record import KernelRecord
from catalog.launch.launch_notes import kernel_warnings, not_known, why
from catalog.launch.launchability import launchability
from catalog.launch.point import check_vcpus
from catalog.launch.technology import Measurer, Technology, technology_named
from catalog.notes import Note, worst_first
from catalog.rows.launch_config import LaunchConfig
from catalog.rows.numbers import parse_number
from catalog.spec import embedded, named_builds
from catalog.wire import unhex

_ANSWER = ("launch_digest", "launchable", "kernel_hashes_enforced", "notes", "error", "hint", "line")


@dataclass(frozen=True, slots=True)
class Measured:
    """A launch digest and its configuration.

    digest: the launch digest.
    build: the firmware build, with what is recorded about launching it.
    config: the launch configuration.
    ignored: axes that were given but that this digest does not depend on.
    append: the measured command line; None if only its hash is known, or if there is no kernel.
    """

    digest: LaunchDigest
    build: FirmwareBuild
    config: LaunchConfig
    ignored: tuple[str, ...]
    append: str | None

    @property
    def name(self) -> str:
        return self.build.name

    @property
    def technology(self) -> str:
        return self.config.technology

    @property
    def launchable(self) -> LaunchableWire:
        return launchability(self.build, self.technology, self.config.vmm)

    def warnings(self) -> list[Note]:
        """Warnings: the build is not expected to launch, or does not enforce kernel hashes, or that is unknown."""
        found = []
        if self.launchable.verdict == "no":
            reason = why(self.technology, self.launchable.reason, self.launchable.source)
            text = f"{self.build.name} is not expected to launch under {reason}"
            found.append(Note("launch-not-expected", text))
        if self.config.kernel_hashes:
            found += kernel_warnings(self.build.name, self.build.component.kernel_hashes_enforced.value)
        return found

    def notes(self) -> list[Note]:
        """Notes: of less weight than warnings."""
        found = list(self.build.notes)
        if self.launchable.verdict == "unknown":
            found.append(not_known(self.build.name, self.technology, self.launchable.reason, self.launchable.source))
        if self.ignored:
            text = f"this digest does not depend on: {', '.join(self.ignored)}"
            found.append(Note("digest-ignores-input", text))
        version = self.build.origin.version if self.build.origin else None
        enforced = self.build.component.kernel_hashes_enforced
        if self.config.kernel_hashes and enforced is Enforced.YES and not verifier_halts(version):
            found.append(kernel_note(enforced.value, version))
        return found

    def to_dict(self) -> dict[str, Any]:
        """The JSON of `ldcat measure`: the digest, the fields of a line of a batch, and more."""
        return {
            "launch_digest": self.digest.hex(),
            **self.config.to_dict(self.build.name),
            "append": self.append if self.append is None or _is_unicode(self.append) else None,
            "kernel_hashes_enforced": self.enforced,
            "launchable": self.verdict,
            "notes": [note.to_dict() for note in self.remarks()],
        }

    @property
    def enforced(self) -> str:
        """Whether the firmware enforces kernel hashes: yes, no or unknown."""
        return self.build.component.kernel_hashes_enforced.value

    @property
    def verdict(self) -> str:
        """Whether a launch is expected: yes, no or unknown."""
        return self.launchable.verdict

    def remarks(self) -> list[Note]:
        """Warnings, notes, and what the digest says about the booted kernel, the worst first."""
        found = [*self.warnings(), *self.notes()]
        enforced = self.build.component.kernel_hashes_enforced
        if not self.config.kernel_hashes:
            found.append(no_kernel_note(self.config.technology))
        elif enforced is Enforced.YES:
            found.append(kernel_note(enforced.value, self.build.origin.version if self.build.origin else None))
        return worst_first(list(dict.fromkeys(found)))


AnyMeasured = Measured | MeasuredIgvm


def requested(technology: str, firmware: str, inputs: Mapping[str, Any]) -> Request:
    """A request by the names of its fields; raises MalformedRecord for an unknown field or a wrong type."""
    return request_from({**inputs, "technology": technology, "firmware": firmware})


@dataclass(slots=True)
class Workbench:
    """Measures requests one after the other; each image and kernel is read once. builds: those that have names."""

    builds: Mapping[str, FirmwareBuild] = field(default_factory=embedded.builds)
    _found: dict[str, FirmwareBuild] = field(default_factory=dict)
    _opened: dict[str, OpenedIgvm | None] = field(default_factory=dict)
    _hashed: dict[str, bytes] = field(default_factory=dict)
    _measurers: dict[tuple[str, FirmwareComponent], Measurer] = field(default_factory=dict)

    def measure(self, request: Request) -> AnyMeasured:
        """The launch digest of a request.

        Raises UsageError for a request with contradictory, missing or invalid fields, UnknownName, CannotLaunch,
        Unreadable, and MalformedInput for invalid images and hashes.
        """
        if opened := self._igvm(request):
            return self._measured_igvm(opened, request, [request.vcpus])[0]
        technology = technology_named(request.technology)
        build = self._build(request)
        hashes, append = self._kernel_hashes(request)
        config, ignored = self._config(technology, build, hashes, request)
        key = (technology.name, build.image)
        if key not in self._measurers:
            self._measurers[key] = Measurer(technology, build.image)
        made = self._measurers[key].measure(config.point)
        return Measured(made, build, config, ignored, append if config.kernel_hashes else None)

    def measure_counts(self, request: Request, counts: Sequence[int] | None) -> list[AnyMeasured]:
        """The launch digests of a request for each vCPU count, in the given order; raises the errors of `measure`.

        Each continues from the state of the one before. A technology that measures no vCPU gives one digest for all.
        """
        some: Sequence[int | None] = counts or [None]
        if opened := self._igvm(request):
            return [*self._measured_igvm(opened, request, some)]
        if not technology_named(request.technology).measures_vcpus:
            some = some[:1]
        return [self.measure(msgspec.structs.replace(request, vcpus=count)) for count in some]

    def measure_line(self, line: bytes) -> dict[str, Any]:
        """One line of a batch, completed by its launch digest and notes, or by `error`.

        Raises no LdcatError: an error of a line is its result.
        """
        kept: dict[str, Any] = {}
        try:
            fields = parse_fields(line)
            kept = {name: value for name, value in fields.items() if name not in _ANSWER}
            measured = self.measure(request_from(fields))
        except LdcatError as error:
            return {**kept, "error": str(error)} | ({"hint": error.hint} if error.hint else {})
        return {
            **kept,
            "launch_digest": measured.digest.hex(),
            "launchable": measured.verdict,
            "kernel_hashes_enforced": measured.enforced,
            "notes": [note.to_dict() for note in measured.remarks()],
        }

    def _igvm(self, request: Request) -> OpenedIgvm | None:
        """The IGVM file that the firmware is; None for a firmware image."""
        name = request.firmware
        if name not in self._opened:
            self._opened[name] = OpenedIgvm.of(name, self.builds)
        opened = self._opened[name]
        if opened and request.firmware_sha256 is not None:
            sha256 = hashlib.sha256(opened.file.data).hexdigest() if opened.file else opened.whole.sha256.hex()
            if sha256 != request.firmware_sha256.lower():
                raise UsageError(f"{name} has SHA-256 {sha256}, not the firmware_sha256 given")
        return opened

    def _measured_igvm(
        self, opened: OpenedIgvm, request: Request, counts: Sequence[int | None]
    ) -> Sequence[MeasuredIgvm]:
        vmm = loader_of(opened, request)  # before files of a kernel are read
        return measure_igvm(opened, vmm, request, counts, *self._kernel_hashes(request))

    def _build(self, request: Request) -> FirmwareBuild:
        if request.firmware not in self._found:
            self._found[request.firmware] = named_builds.find_build(request.firmware, self.builds)
        build = self._found[request.firmware]
        sha256 = None if build.component.sha256 is None else build.component.sha256.hex()
        if request.firmware_sha256 is not None and request.firmware_sha256.lower() != sha256:
            known = f"has SHA-256 {sha256}" if sha256 else "has no known SHA-256"
            raise UsageError(f"{request.firmware} {known}, not the firmware_sha256 given")
        return build

    def _config(
        self, technology: Technology, build: FirmwareBuild, hashes: KernelHashes | None, request: Request
    ) -> tuple[LaunchConfig, tuple[str, ...]]:
        """The launch configuration of a request, and the given axes that it does not depend on."""
        if request.vcpus is not None:
            check_vcpus(request.vcpus)
        vmm = None if request.vmm is None else embedded.profile_named(request.vmm)
        signature = signature_of(request)
        measures_vmm = technology.measures_vmm
        if not technology.measures_vcpus and not (measures_vmm and vmm is None):
            given = (("vcpus", request.vcpus), ("vCPU type", signature), ("sev_features", request.sev_features))
            others = (("kernel hashes", hashes),) if measures_vmm else (("vmm", vmm),)
            ignored = [name for name, value in (*others, *given) if value is not None]
            measured = (None, vmm) if measures_vmm else (hashes, None)
            return LaunchConfig(technology.name, build.component, *measured), tuple(ignored)
        if vmm is None:
            able = [one for one in embedded.profiles().values() if technology.name in one.technologies]
            names = [one.name for one in sorted(able, key=lambda one: one.wire.hosted is not None)]  # stable
            raise UsageError(f"{technology.name} depends on the VMM, but none is given", f"one of: {', '.join(names)}")
        if request.vcpus is None:
            raise UsageError(f"{technology.name} measures every vCPU, but no number of vCPUs is given")
        features = (
            technology.default_sev_features if request.sev_features is None else parse_number(request.sev_features)
        )
        config = LaunchConfig(
            technology.name,
            build.component,
            hashes,
            vmm,
            signature if vmm.measures_signature else None,
            features,
            request.vcpus,
        )
        return config, () if vmm.measures_signature or signature is None else ("vCPU type",)

    def _kernel_hashes(self, request: Request) -> tuple[KernelHashes | None, str | None]:
        """The kernel hashes of a request, and its command line; None if only the hash is known."""
        blobs = (request.kernel, request.kernel_sha256, request.initrd, request.initrd_sha256)
        if request.kernel_hashes is not None:
            if any(value is not None for value in (*blobs, request.append, request.cmdline_sha256)):
                raise UsageError("a name of kernel hashes stands for kernel, initrd and command line; give it alone")
            if request.kernel_hashes.endswith(".toml"):
                record = KernelRecord.parse(inputs.read_text(Path(request.kernel_hashes)))
                return record.hashes, record.append
            if request.kernel_hashes not in embedded.kernels():
                raise UnknownName("kernel hashes table", request.kernel_hashes, embedded.kernels())
            record = embedded.kernels()[request.kernel_hashes]
            return record.hashes, record.append
        kernel = self._blob(request.kernel, request.kernel_sha256, "kernel_sha256")
        initrd = self._blob(request.initrd, request.initrd_sha256, "initrd_sha256")
        if kernel is None:
            if initrd is not None or request.append is not None or request.cmdline_sha256 is not None:
                raise UsageError("initrd and command line are only measured with a kernel, but none is given")
            return None, None
        cmdline = hash_cmdline(request.append)
        if request.cmdline_sha256 is not None:
            given = unhex(request.cmdline_sha256.lower(), 32, "cmdline_sha256")
            if request.append is not None and given != cmdline:
                raise UsageError("append does not have the SHA-256 given as cmdline_sha256")
            cmdline = given
        hashes = KernelHashes(kernel, KernelHashes.of(kernel=kernel, initrd=initrd).initrd, cmdline)
        return hashes, "" if cmdline == hash_cmdline(None) else request.append

    def _blob(self, path: str | None, sha256: str | None, what: str) -> bytes | None:
        if sha256 is not None:
            return unhex(sha256.lower(), 32, what)
        if path is None:
            return None
        if not path:
            raise UsageError(f"{what.removesuffix('_sha256')} is an empty path")
        if path not in self._hashed:
            self._hashed[path] = inputs.hash_file(Path(path))
        return self._hashed[path]


def _is_unicode(text: str) -> bool:
    """False for a text with bytes that are not UTF-8: JSON cannot have it."""
    return not any("\ud800" <= character <= "\udfff" for character in text)
