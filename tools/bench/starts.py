"""How long commands take that do little: against `python -c pass`, and against sev-snp-measure, in one run."""

from __future__ import annotations

import os
import sys
import time
from functools import partial
from pathlib import Path

from tests.support import attestation_builder
from tests.support.firmware_builder import AMDSEV_AREA, AMDSEV_SECTIONS, build_ovmf
from tools.bench.catalogs import Catalogs
from tools.bench.inputs import CONFIGURATION, FIRMWARE
from tools.bench.versions import Version, finished

ROUNDS = 21
PAGES = 1024
KERNEL, INITRD = 12 << 20, 48 << 20
"""Bytes."""

_ASKED = "from catalog import Release\nwith Release.open({!r}) as release:\n    assert release.lookup({!r})"


def start_lines(catalogs: Catalogs) -> list[str]:
    """Of the default catalog, as Markdown."""
    with catalogs.scratch() as made:
        return _starts(catalogs.default.folder, made)


def _starts(catalog: Path, made: Path) -> list[str]:
    here = Version("here", Path(sys.executable), made)
    commands = _commands(here, catalog)
    times: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(ROUNDS):  # in turn, so that a slow moment is everyone's
        for name, command in commands.items():
            times[name].append(_seconds(partial(finished, command, here.environment())))
    least = {name: min(taken[1:]) for name, taken in times.items()}
    lines = [
        "| command | least ms | times `python -c pass` | times sev-snp-measure |",
        "|---|---|---|---|",
    ]
    for name, seconds in least.items():
        peer = least.get(_PEERS.get(name, ""))
        compared = f"{seconds / peer:.2f}" if peer else ""
        lines.append(f"| {name} | {1000 * seconds:.1f} | {seconds / least['`python -c pass`']:.2f} | {compared} |")
    return [*lines, "", *_MEANING]


_MEANING = (
    "Least of 20 whole commands, warm page cache. The checkpoint of a proof, and whether an image enforces kernel",
    "hashes, are remembered in the state folder: the first time takes longer.",
)

_PEERS = {
    "`ldcat measure OVMF.fd`": "sev-snp-measure",
    "... with a kernel and initrd of 60 MiB": "sev-snp-measure, with the same",
}


def _commands(here: Version, catalog: Path) -> dict[str, list[str]]:
    at = here.folder
    image, kernel, initrd, report = at / "OVMF.fd", at / "vmlinuz", at / "initrd", at / "report.bin"
    image.write_bytes(_image())
    kernel.write_bytes(os.urandom(KERNEL))
    initrd.write_bytes(os.urandom(INITRD))
    digest = here.run("measure", FIRMWARE, *CONFIGURATION, "--vcpus", 4, "-q").decode().strip()
    report.write_bytes(attestation_builder.signed(attestation_builder.report_bytes(measurement=bytes.fromhex(digest))))
    _publish(here, catalog, digest)
    measure = here.command("measure", image, *CONFIGURATION, "--vcpus", 4)
    peer = [str(Path(sys.executable).with_name("sev-snp-measure")), "--mode", "snp", "--vcpus", "4"]
    peer += ["--vcpu-type", "EPYC-Milan", "--ovmf", str(image)]
    verify = here.command("verify-proof", at / "proof", "--trust", at / "trust")
    booted = ["--kernel", str(kernel), "--initrd", str(initrd), "--append", "console=ttyS0"]
    return {
        "`python -c pass`": [sys.executable, "-c", "pass"],
        "`ldcat --version`": here.command("--version"),
        "`ldcat lookup --help`": here.command("lookup", "--help"),
        "`ldcat lookup -f json`": here.command("lookup", digest, "--catalog", catalog, "-f", "json"),
        "`ldcat lookup report.bin`": here.command("lookup", report, "--catalog", catalog),
        "a Release, opened and asked": [sys.executable, "-c", _ASKED.format(str(catalog), digest)],
        "sev-snp-measure": peer,
        "`ldcat measure OVMF.fd`": measure,
        "sev-snp-measure, with the same": [*peer, *booted],
        "... with a kernel and initrd of 60 MiB": [*measure, *booted],
        "`ldcat verify-proof`": verify,
        "`ldcat prove`": here.command("prove", digest, "--catalog", at / "log"),
        "`ldcat inspect`": here.command("inspect", image),
    }


def _image() -> bytes:
    """4 MiB that begin as a firmware volume does."""
    begin = bytes(0x28) + b"_FVH" + bytes(0x14)
    return begin + build_ovmf(pages=PAGES, hashes_area=AMDSEV_AREA, sections=AMDSEV_SECTIONS)[len(begin) :]


def _publish(here: Version, catalog: Path, digest: str) -> None:
    at = here.folder
    log = here.run("keygen", "example.com/bench", "--algorithm", "ed25519", "-o", at / "key").decode().split()[-1]
    root = here.run("keygen", "root.example", "--for", "root", "-o", at / "root").decode().split()[-1]
    (at / "policy").write_text(f"log {log}\nquorum none\n")
    text = here.run("trust", "init", "--policy", at / "policy", "--root", f"a={root}", "--threshold", 1)
    (at / "text").write_bytes(text)
    (at / "trust").write_bytes(here.run("trust", "sign", at / "text", "--key", at / "root"))
    here.run("publish", catalog, "--log", at / "log", "--key", at / "key", "-q")
    (at / "proof").write_bytes(here.run("prove", digest, "--catalog", at / "log", "-q"))


def _seconds(work: partial[bytes]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started
