"""c8s manifest of a node image, version 3: a launch digest for each number of vCPUs, and what went into the image.

Keys that c8s does not read are ignored, as c8s does. Its manifest for TDX is not read: an MRTD there counts together
with RTMR1 and RTMR2 alone. Source: confidential-dot-ai/c8s, pkg/runtimemeasure (LoadSNPImageManifest,
LoadImageManifest) and its testdata/confos-snp-manifest.json.
"""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec

from catalog.errors import MalformedRecord
from catalog.imports.documents import Document, Form, Given
from catalog.imports.endorsed_facts import Claims, EndorsedDigest, Endorser
from catalog.imports.imported import Imported
from catalog.imports.strict_json import as_record, check_count
from catalog.wire import U32, unhex

NAME = "c8s-manifest"
VERSION = 3


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """An object of which only some keys are read."""


class File(Part, frozen=True):
    """A file by its SHA-256."""

    sha256: str


class Kernel(Part, frozen=True):
    """A kernel file by its SHA-256."""

    vmlinuz_sha256: str


class Inputs(Part, frozen=True):
    """What went into the image."""

    firmware: File | None = None
    initrd: File | None = None
    kernel: Kernel | None = None


class Measurement(Part, frozen=True):
    """A launch digest. algorithm: sha384, of 48 bytes."""

    algorithm: str
    snp_launch_digest: str
    vmsa_count: U32 | None = None


class Variant(Part, frozen=True):
    """A launch with a number of vCPUs, of an IGVM file if there is one."""

    smp: U32
    measurement: Measurement
    igvm: File | None = None


class Build(Part, frozen=True):
    """When the image was built."""

    timestamp: str | None = None


class Manifest(Part, frozen=True):
    """The whole file."""

    version: int
    snp_variants: list[Variant]
    inputs: Inputs = Inputs()
    build: Build = Build()


def recognizes(document: Document) -> bool:
    """Whether it is an object with `snp_variants`."""
    return isinstance(document.json, dict) and "snp_variants" in document.json


def parse(document: Document, _given: Given) -> Imported:
    """The endorsed digests, by number of vCPUs; raises MalformedRecord."""
    wire = as_record(document.json, Manifest, NAME)
    if wire.version != VERSION:
        raise MalformedRecord(f"{NAME}: $.version: {wire.version} is not {VERSION}")
    check_count(len(wire.snp_variants), f"{NAME}: $.snp_variants")
    counts = [variant.smp for variant in wire.snp_variants]
    if len(set(counts)) != len(counts):
        raise MalformedRecord(f"{NAME}: $.snp_variants: one smp is there twice")
    endorsed = [_endorsed(variant, wire.inputs, at) for at, variant in enumerate(wire.snp_variants)]
    return Imported(NAME, document.sha256, document_time=_time(wire.build.timestamp), endorsed=tuple(endorsed))


def _endorsed(variant: Variant, inputs: Inputs, at: int) -> EndorsedDigest:
    path = f"{NAME}: $.snp_variants[{at}]"
    measured = variant.measurement
    if measured.algorithm != "sha384":
        raise MalformedRecord(f"{path}.measurement.algorithm: {measured.algorithm[:24]!r} is not 'sha384'")
    if measured.vmsa_count not in (None, variant.smp):
        raise MalformedRecord(f"{path}: {measured.vmsa_count} VMSAs are measured for {variant.smp} vCPUs")
    claims = Claims(
        vcpus=variant.smp,
        firmware_sha256=_hash(inputs.firmware, f"{NAME}: $.inputs.firmware.sha256"),
        kernel_sha256=_hash(inputs.kernel, f"{NAME}: $.inputs.kernel.vmlinuz_sha256"),
        initrd_sha256=_hash(inputs.initrd, f"{NAME}: $.inputs.initrd.sha256"),
        igvm_sha256=_hash(variant.igvm, f"{path}.igvm.sha256"),
    )
    digest = unhex(measured.snp_launch_digest, 48, f"{path}.measurement.snp_launch_digest")
    return EndorsedDigest(digest, "sev-snp", Endorser(NAME), claims)


def _hash(file: File | Kernel | None, path: str) -> bytes | None:
    if file is None:
        return None
    return unhex(file.sha256 if isinstance(file, File) else file.vmlinuz_sha256, 32, path)


def _time(text: str | None) -> int | None:
    if text is None:
        return None
    try:
        return int(datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC).timestamp())
    except ValueError as error:
        raise MalformedRecord(f"{NAME}: $.build.timestamp: {text[:24]!r} is not YYYY-MM-DDTHH:MM:SSZ") from error


FORM = Form(NAME, "c8s manifest, version 3", recognizes, parse)
