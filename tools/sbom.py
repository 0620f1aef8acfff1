"""The SBOM of the service's image: what the lock names, as CycloneDX; the same bytes from the same lock."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from catalog import __version__

ROOT = Path(__file__).parent.parent
LOCK = ROOT / "docs/deploy/requirements.txt"
OPTIONS = ("--output-reproducible", "--validate")


def sbom(lock: Path) -> bytes:
    """CycloneDX JSON of a file of requirements with hashes."""
    tool = Path(sys.executable).with_name("cyclonedx-py")
    command = [str(tool), "requirements", str(lock), "--pyproject", str(ROOT / "pyproject.toml"), *OPTIONS]
    made = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)  # noqa: S603 - of this environment
    made["metadata"]["component"]["version"] = __version__  # pyproject.toml says where it is, and not what
    for component in made["components"]:
        del component["description"]  # the line of the lock, which is there
    return json.dumps(made, indent=2, sort_keys=True).encode() + b"\n"


if __name__ == "__main__":
    Path(sys.argv[1]).write_bytes(sbom(LOCK))
