"""Every command that writes, with the folder that it is run in, and what has to hold of that afterwards."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import duckdb

from catalog.publish.key_files import read_keys
from catalog.publish.witness_store import WitnessStore
from catalog.store.catalog import Catalog
from catalog.transparency.note import Note
from catalog.web.release.ranges_made import ranges_for
from tools.faults.runner import Task
from tools.faults.workshop import ORIGIN, Workshop

_LOG = ("--log", "log")
_TRUST = ("--trust", "trust.note")
_ROWS = ("--vmm", "qemu-kvm-init2", "--vcpus", "1-2", "--launch-unknown", "--no-kernel")
_THERE = (2,)
"""Exit codes of a command whose output exists already."""


@dataclass(frozen=True)
class Case:
    """stage: of the workshop. code: exit code without a fault. later: seconds after everything else.

    volatile: files that are never twice the same, and what tells that one is whole. optional: files that may be missing
    although nothing failed, by the first parts of their path, and what is said then. probe: what has to go well at
    any time, in homes of its own: arguments, and a file without which it need not. again: exit codes that the same
    command may have afterwards, too. clears: a folder in which it leaves nothing then that was never finished.
    """

    name: str
    stage: str
    task: Task
    code: int = 0
    later: int = 0
    volatile: Mapping[str, Callable[[], int]] = field(default_factory=dict)
    optional: Mapping[str, str] = field(default_factory=dict)
    probe: tuple[Sequence[str], str] | None = None
    again: tuple[int, ...] = ()
    clears: str = ""


def cases(shop: Workshop) -> list[Case]:
    """All of them."""
    root = shop.place.root
    receipt = {"state/ldcat/built": ""}
    return [
        Case(
            "keygen",
            "inputs",
            ("keygen", "new.example", "-o", "new.key"),
            volatile={"new.key": lambda: _is_key(root / "new.key")},
            optional={"new.key.pub": ""},
            again=_THERE,
        ),
        Case(
            "init",
            "inputs",
            ("init", ORIGIN, "--algorithm", "ed25519", "--output", "mine"),
            volatile={"mine/keys.unfinished": lambda: 0, "mine": lambda: _is_key(root / "mine/keys/log.key", keys=1)},
            again=(1,),
        ),
        Case("build", "inputs", ("build", "inputs/fewer.toml", "-o", "fewer", "-q"), optional=receipt),
        Case(
            "build over a catalog",
            "built",
            ("build", "inputs/small.toml", "-o", "fewer", "-q"),
            optional=receipt,
            probe=(("audit", "fewer", "-q"), "fewer"),
        ),
        *_log_cases(root, shop.digest),
        Case("trust init", "inputs", ("trust", "init", "--policy", "trust.policy", *_root(root))),
        Case("trust sign", "inputs", ("trust", "sign", "trust.txt", "--key", "root.key")),
        Case("trust rotate", "inputs", ("trust", "rotate", "trust.note", "--days", "9")),
        *_reader_cases(shop),
        Case("diff --html", "both", ("diff", "fewer", "catalog", "--html", "page.html"), code=1),
        Case("report --html", "both", ("report", "catalog", "--html", "page.html")),
        Case(  # it says how many candidates were tried, which is not always the same
            "explain --html",
            "both",
            ("explain", shop.digest, "--catalog", "catalog", "--html", "page.html"),
            volatile={"page.html": lambda: 0 if (root / "page.html").read_text().endswith("</html>\n") else 1},
        ),
        Case(
            "sql --database",
            "both",
            ("sql", "--catalog", "catalog", "--database", "views.duckdb"),
            volatile={"views.duckdb": lambda: _has_views(root / "views.duckdb")},
            again=_THERE,
        ),
        Case("audit", "both", ("audit", "catalog", "-q")),
        Case("vmsa build", "inputs", ("vmsa", "build", *_page(), "-o", "page")),
        Case("serve: ranges", "both", lambda: _ranges(root / "catalog")),
    ]


def _log_cases(root: Path, digest: str) -> list[Case]:
    """Commands that write a log, or cosign it."""
    signed, cosigned = (*_LOG, "--key", "log.key"), (*_LOG, "--key", "me.key", *_TRUST)
    whole_log = (("audit", "log", *_TRUST, "-q"), "log/checkpoint")
    return [
        Case("publish the first release", "both", ("publish", "fewer", *signed), probe=whole_log, clears="log"),
        Case("publish the next release", "seen", ("publish", "catalog", *signed), probe=whole_log, clears="log"),
        Case(
            "revoke",
            "seen",
            ("revoke", *signed, "--severity", "revoked", "--reason", "bad", "--digest", digest),
            probe=whole_log,
            clears="log",
        ),
        Case("cosign", "published", ("cosign", *cosigned), probe=whole_log),
        Case("cosign --heartbeat", "cosigned", ("cosign", *cosigned, "--heartbeat"), later=60, probe=whole_log),
        Case("rebuild --cosign", "published", ("rebuild", *cosigned, "--cosign", "-q"), probe=whole_log),
        Case("witness ask", "published", ("witness", "ask", *_LOG, "--trust", "asked.note"), probe=whole_log),
        Case("witness serve --create", "inputs", lambda: _create(root / "db"), again=_THERE),
        Case("witness serve", "witnessed", lambda: _advance(root), volatile={"db": lambda: _remembers(root)}),
    ]


def _reader_cases(shop: Workshop) -> list[Case]:
    """Commands that read a log, and write what they remember of it."""
    url = f"{shop.url}/log"
    seen = ("lookup", shop.digest, "--catalog", "log", *_TRUST)
    verified = "state/ldcat/verified"
    none = {f"state/ldcat/{what}/example.com%2Flog.revocations": "" for what in ("seen", "watched")}
    return [
        Case("lookup in a log", "published", seen, optional={verified: "", **none}, volatile={verified: _nothing}),
        Case(
            "lookup in a log that grew", "grown", seen, optional={verified: "", **none}, volatile={verified: _nothing}
        ),
        Case("lookup at a host", "published", ("lookup", shop.digest, "--catalog", url, *_TRUST), optional=none),
        Case("prove", "published", ("prove", shop.digest, *_LOG)),
        Case("prove at a host", "published", ("prove", shop.digest, "--catalog", url)),
        Case("verify-proof", "published", ("verify-proof", "proof", *_TRUST), optional=none),
        Case("monitor", "published", ("monitor", url, *_TRUST), optional=none),
        Case(
            "monitor of a fork",
            "watched",
            ("monitor", f"{shop.url}/fork", *_TRUST),
            code=4,
            optional={"state/ldcat/watched/evidence": "could not be kept"},
        ),
        Case(
            "site",
            "published",
            ("site", "log", "-o", "site", *_TRUST, "-q"),
            optional={verified: "", **none},
            volatile={verified: _nothing},
        ),
        Case(
            "site again",
            "grown",
            ("site", "log", "-o", "site", *_TRUST, "-q"),
            optional={verified: "", **none},
            volatile={verified: _nothing},
        ),
        *(
            Case(
                f"export to a {what}",
                "grown",
                ("export", "--to", name, *_ROWS, "--catalog", "log", *_TRUST, "-o", path, "-q"),
                optional={verified: "", **none},
                volatile={verified: _nothing},
            )
            for what, name, path in (("file", "rvps", "values.json"), ("folder", "check", "configs"))
        ),
        Case("audit of a log", "grown", ("audit", "log", *_TRUST, "-q")),
    ]


def _nothing() -> int:
    """The next run of the command reads it."""
    return 0


def _is_key(path: Path, keys: int = 2) -> int:
    return 0 if len(read_keys(path, None)) == keys else 1


def _has_views(path: Path) -> int:
    with duckdb.connect(path, read_only=True) as connection:
        return 0 if connection.execute("SELECT count(*) FROM configurations").fetchone() else 1


def _root(root: Path) -> tuple[str, ...]:
    (line,) = [line for line in (root / "trust.txt").read_text().splitlines() if line.startswith("root ")]
    _, role, key = line.split(" ")
    return ("--root", f"{role}={key}", "--threshold", "1")


def _page() -> tuple[str, ...]:
    return ("-t", "sev-snp", "--vmm", "qemu-kvm-init2", "--vcpu-type", "EPYC-Milan", "--sev-features", "1")


def _create(path: Path) -> int:
    WitnessStore.create(path)
    return 0


def _advance(root: Path) -> int:
    """As the service does with a checkpoint that it cosigns."""
    after, store = _note(root / "log/checkpoint"), WitnessStore.open(root / "db")
    before = store.latest(ORIGIN)
    if before != after:
        store.advance(before, after)
    return 0


def _remembers(root: Path) -> int:
    """The service never forgets what it cosigned."""
    known = [_note(path) for path in (root / "before", root / "log/checkpoint")]
    return 0 if WitnessStore.open(root / "db").latest(ORIGIN) in known else 1


def _note(path: Path) -> Note:
    return Note.parse(path.read_bytes())


def _ranges(folder: Path) -> int:
    ranges_for(Catalog.open(folder), lambda _, __: lambda _: None).close()
    return 0
