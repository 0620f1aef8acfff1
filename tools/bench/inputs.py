"""What `make bench BASE=COMMIT` gives both versions, and what each of them makes of it before it is measured."""

from __future__ import annotations

import random
from dataclasses import dataclass
from pathlib import Path

from tools.bench.builds import large_spec
from tools.bench.load import report
from tools.bench.versions import Version

FIRMWARE = "sid/ovmf-amdsev/OVMF.amdsev.fd"
CONFIGURATION = ["--technology", "sev-snp", "--vmm", "qemu-kvm-init2", "--vcpu-type", "EPYC-Milan"]
RARE_ES = ["--technology", "sev-es", "--vmm", "qemu-kvm-legacy", "--vcpu-signature", "0xa10f11", "--vcpus", 1000]
DEFINED_KERNELS = 5_000
SAMPLED_DIGESTS = 20_000


@dataclass(frozen=True)
class Inputs:
    """What both versions are given.

    folder: of specs, a report and lists of digests.
    digest: in every catalog.
    rare, rare_es: in no catalog, but `explain` finds their inputs.
    """

    folder: Path
    digest: str
    rare: str
    rare_es: str
    absent: str = "0" * 96


def made_inputs(folder: Path, base: Version, rows: int) -> Inputs:
    """rows: about so many in the large catalog."""
    specs = {
        "large": large_spec(rows),
        "sev-snp": large_spec(rows),
        "sev-es": large_spec(rows // 5, "sev-es"),
        "sev": _sev_spec(),
        "old": large_spec(rows // 20),
        "new": large_spec(rows // 20, feature=2),
    }
    folder.mkdir()
    for name, spec in specs.items():
        (folder / f"{name}.toml").write_text(spec)
    digest = base.run("measure", FIRMWARE, *CONFIGURATION, "--vcpus", 4, "-f", "hex", "-q").decode().strip()
    rare = [*CONFIGURATION, "--vcpus", 1000, "--sev-features", "0x239"]
    found = base.run("measure", FIRMWARE, *rare, "-f", "hex", "-q").decode().strip()
    found_es = base.run("measure", FIRMWARE, *RARE_ES, "-f", "hex", "-q").decode().strip()
    (folder / "report.bin").write_bytes(report(bytes.fromhex(digest)))
    return Inputs(folder, digest, found, found_es)


def prepare(version: Version, inputs: Inputs) -> None:
    """Build, publish and prove with this version what its figures read; verify the log once."""
    version.folder.mkdir()
    at = version.folder
    version.run("build", "-o", at / "default", "-q")
    for name in ("large", "old", "new"):
        version.run("build", inputs.folder / f"{name}.toml", "-o", at / name, "-q")
    log = version.run("keygen", "example.com/bench", "--algorithm", "ed25519", "-o", at / "key").decode().split()[-1]
    root = version.run("keygen", "root.example", "--for", "root", "-o", at / "root-key").decode().split()[-1]
    (at / "policy").write_text(f"log {log}\nquorum none\n")
    text = version.run("trust", "init", "--policy", at / "policy", "--root", f"a={root}", "--threshold", 1)
    (at / "text").write_bytes(text)
    (at / "trust").write_bytes(version.run("trust", "sign", at / "text", "--key", at / "root-key"))
    version.run("publish", at / "default", "--log", at / "log", "--key", at / "key", "-q")
    (at / "proof").write_bytes(version.run("prove", inputs.digest, "--log", at / "log", "-q"))
    version.run("site", at / "log", "-o", at / "site", "--trust", at / "trust", "-q")


def sample_digests(base: Version, head: Version, inputs: Inputs) -> None:
    """Write random digests of the default and the large catalog for both versions.

    The default catalog of one version may have rows that the other's lacks; the large one has the same spec.
    """
    rows = "launch_digests WHERE technology = 'sev-snp' AND firmware_sha256 IS NOT NULL"  # inferred ones are not found
    query = f"SELECT DISTINCT launch_digest FROM {rows}"  # noqa: S608
    of_both = sorted({*_column(base, query, "default")} & {*_column(head, query, "default")})
    sampled = {
        "default": random.Random(1).sample(of_both, min(SAMPLED_DIGESTS, len(of_both))),
        "large": _column(base, f"SELECT launch_digest FROM {rows} USING SAMPLE {SAMPLED_DIGESTS} ROWS", "large"),  # noqa: S608
    }
    for name, digests in sampled.items():
        random.Random(1).shuffle(digests)
        (inputs.folder / name).write_text("\n".join(digests))


def _column(version: Version, query: str, catalog: str) -> list[str]:
    """The one column that a query gives."""
    return version.run("sql", query, "--catalog", version.folder / catalog, "-f", "csv").decode().split()[1:]


def _sev_spec() -> str:
    """SEV measures firmware and kernel hashes alone, so that many rows need many kernels."""
    kernels = (
        f'[[kernel_hashes.define]]\nname = "kernel-{n}"\nkernel_sha256 = "{n:064x}"\ninitrd_sha256 = "{n:064x}"\n'
        for n in range(DEFINED_KERNELS)
    )
    builds = 'name = "large"\nfirmware = { builds = ["*"] }\n[kernel_hashes]\ntables = ["none"]\n'
    return f"{builds}{''.join(kernels)}[technologies.sev]\n"
