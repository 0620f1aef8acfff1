"""A log of its own for a section: keys, a trust note without witnesses, and releases that are published as commands."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex

from catalog.publish.key_files import new_key, write_keys
from catalog.transparency.keys import SignatureType
from tools.bench.builds import Taken, whole_command


@dataclass(frozen=True)
class Publisher:
    """folder: of the log, its key and the trust note."""

    folder: Path

    @classmethod
    def in_folder(cls, folder: Path) -> Publisher:
        """A new one. folder: does not exist."""
        folder.mkdir()
        made = cls(folder)
        origin = f"example.com/{token_hex(8)}"  # the state folder remembers the keys of each log
        key, root = new_key(origin, SignatureType.ED25519), new_key("root.example", SignatureType.ED25519)
        beat = new_key("beat.example", SignatureType.COSIGNATURE_ED25519)
        write_keys(folder / "key", [key], None)
        write_keys(folder / "beat-key", [beat], None)
        write_keys(folder / "root-key", [root], None)
        (folder / "policy").write_text(f"log {key.key}\nwitness beat {beat.key}\nquorum none\n")
        init = ["init", "--policy", str(folder / "policy"), "--root", f"a={root.key}", "--threshold", "1"]
        (folder / "text").write_bytes(_trust(init))
        made.trust.write_bytes(_trust(["sign", str(folder / "text"), "--key", str(folder / "root-key")]))
        return made

    @property
    def log(self) -> Path:
        """The folder of the log."""
        return self.folder / "log"

    @property
    def trust(self) -> Path:
        """The trust note."""
        return self.folder / "trust"

    @property
    def signing(self) -> tuple[str, ...]:
        """Options of commands that add to the log."""
        return "--log", str(self.log), "--key", str(self.folder / "key"), "--quiet"

    def publish(self, catalog: Path) -> Taken:
        """A release of a catalog."""
        return whole_command("publish", str(catalog), *self.signing)

    def cosign(self) -> Taken:
        """A heartbeat for the checkpoint, of now."""
        options = ("--log", str(self.log), "--key", str(self.folder / "beat-key"), "--trust", str(self.trust))
        return whole_command("cosign", "--heartbeat", *options, "--quiet")

    def site(self, folder: Path) -> Taken:
        """Everything that a host has to serve, written or updated."""
        return whole_command("site", str(self.log), "-o", str(folder), "--trust", str(self.trust), "--quiet")


def _trust(arguments: list[str]) -> bytes:
    command = [sys.executable, "-m", "catalog", "trust", *arguments]
    return subprocess.run(command, capture_output=True, check=True).stdout
