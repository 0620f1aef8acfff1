"""`ldcat export --diff OLD NEW`: the full new list, and what changed since an earlier release."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import msgspec
import pytest

from catalog.build.builder import BuildResult
from catalog.export.sidecar import read_sidecar
from tests.support.catalogs import PLACES, rows_of
from tests.support.cli import NOWHERE, Run
from tests.support.published_logs import Place, revoke

SELECTED = ("--vmm", "qemu-kvm-init2", "--vcpus", "1-3", "--vcpu-type", "EPYC-Milan", "--sev-features", "1")
ALLOWED = ("--launch-unknown",)


def values(out: str) -> list[str]:
    """The launch digests in a message to RVPS."""
    [(_, found)] = json.loads(base64.b64decode(json.loads(out)["payload"])).items()
    return list(found)


@pytest.fixture
def digests(small: BuildResult) -> list[str]:
    """The selected launch digests: those with kernel hashes, of 1 to 3 vCPUs."""
    wanted = {"technology": "sev-snp", "vmm": "qemu-kvm-init2", "vcpu_signature": 0xA00F11, "sev_features": 1}
    rows = {
        row: one for row, one in rows_of(small).items() if all(row[PLACES[name]] == wanted[name] for name in wanted)
    }
    kept = {row: one for row, one in rows.items() if row[PLACES["kernel_hashes_sha256"]] is not None}
    return [kept[row].hex() for row in sorted(kept, key=lambda row: row[PLACES["vcpus"]])]


def diff(run: Run, place: Place, old: int, *more: str) -> tuple[int, str, str]:
    between = ("--diff", str(place.log / f"releases/{old}"), str(place.log))
    return run("export", "--to", "rvps", *between, "--trust", str(place.trust), *ALLOWED, *more)


def test_what_changed_is_said(run: Run, place: Place, digests: list[str], tmp_path: Path) -> None:
    place.publish(revoke("revoked", launch_digest=digests[1]))
    path = tmp_path / "values.json"
    code, out, err = diff(run, place, 1, *SELECTED, "-o", str(path))
    assert (code, out) == (0, "")
    assert values(path.read_text()) == [digests[0], digests[2]]
    assert "ldcat: note: since release 1: 0 launch digests added, 1 removed\n" in err
    assert f"ldcat: note: removed {digests[1]}: revoked by the publisher of the log: a reason\n" in err
    sidecar = read_sidecar(path.with_name("values.json.ldcat.json").read_bytes(), "sidecar")
    assert msgspec.to_builtins(sidecar.changes) == {
        "since": {"manifest_sha256": sidecar.catalog.manifest_sha256, "release": 1},
        "added": {"count": 0, "digests": []},
        "removed": {
            "count": 1,
            "digests": [{"launch_digest": digests[1], "reason": "revoked by the publisher of the log: a reason"}],
        },
    }


def test_the_old_list_is_that_of_the_old_release(run: Run, place: Place, digests: list[str]) -> None:
    place.publish(revoke("revoked", launch_digest=digests[0]))
    place.publish(revoke("restored", launch_digest=digests[0]))
    code, out, err = diff(run, place, 2, *SELECTED)
    assert (code, values(out)) == (0, digests)
    assert f"ldcat: note: added {digests[0]}\n" in err
    code, _, err = diff(run, place, 1, *SELECTED)
    assert "since release 1: 0 launch digests added, 0 removed" in err


def test_a_revocation_after_the_new_release_is_said_to_be_later(run: Run, place: Place, digests: list[str]) -> None:
    place.publish(revoke("revoked", launch_digest=digests[0]))
    place.publish(revoke("revoked", launch_digest=digests[1]))
    between = ("--diff", str(place.log / "releases/1"), str(place.log / "releases/2"))
    code, out, err = run("export", "--to", "rvps", *SELECTED, *ALLOWED, *between, "--trust", str(place.trust))
    assert (code, values(out)) == (0, [digests[2]])
    assert f"removed {digests[0]}: revoked by the publisher of the log: a reason\n" in err
    assert f"removed {digests[1]}: revoked by the publisher of the log: a reason (after release 2)\n" in err


def test_named_launch_digests_may_be_gone(run: Run, place: Place, digests: list[str]) -> None:
    place.publish(revoke("revoked", launch_digest=digests[0]))
    code, out, err = diff(run, place, 1, digests[0], digests[1])
    assert (code, values(out)) == (0, [digests[1]])
    assert f"removed {digests[0]}: revoked by the publisher of the log" in err
    code, out, err = diff(run, place, 1, digests[0])
    assert (code, out) == (1, "")
    assert "the launch digest that is selected may not be exported: revoked" in err
    assert "ldcat: hint: systems that loaded the old export still trust 1 launch digest: remove it there" in err
    code, out, err = diff(run, place, 1, digests[1], NOWHERE)
    assert (code, out) == (1, "")
    assert "neither" in err


def test_rows_are_withdrawn_and_added(run: Run, place: Place, fewer: BuildResult, small: BuildResult) -> None:
    """A catalog that has SEV rows alone, between two that have all."""
    place.publish(built=fewer)
    code, out, err = diff(run, place, 1, *SELECTED)
    assert (code, out) == (2, "")
    assert "unknown VMM profile 'qemu-kvm-init2'" in err
    place.publish(built=small)
    code, out, err = diff(run, place, 2, *SELECTED)
    assert (code, len(values(out))) == (0, 3)
    assert "since release 2: 3 launch digests added, 0 removed" in err


def test_only_an_earlier_release_of_the_same_log_is_compared(
    run: Run, place: Place, small: BuildResult, tmp_path: Path
) -> None:
    place.publish(revoke("deprecated", technology="sev"))
    later, earlier = (str(place.log / f"releases/{number}") for number in (2, 1))
    line = ("export", "--to", "rvps", *SELECTED, *ALLOWED, "--trust", str(place.trust), "--diff")
    code, out, err = run(*line, later, earlier)
    assert (code, out) == (2, "")
    assert "is later than" in err
    local = ("export", "--to", "rvps", *SELECTED, *ALLOWED, "--diff", str(small.folder), str(small.folder))
    code, out, err = run(*local)
    assert (code, out) == (2, "")
    assert "is not published in a log" in err
    code, out, err = run(*local, "--unpublished")
    assert (code, len(values(out))) == (0, 3)
    assert "since catalog small: 0 launch digests added, 0 removed" in err


def test_a_name_that_the_old_catalog_lacks_selects_nothing_there(
    run: Run, small: BuildResult, fewer: BuildResult
) -> None:
    between = ("--diff", str(fewer.folder), str(small.folder), "--unpublished")
    code, out, err = run("export", "--to", "rvps", *SELECTED, *ALLOWED, *between)
    assert (code, len(values(out))) == (0, 3)
    assert "since catalog small: 3 launch digests added, 0 removed" in err


def test_an_empty_name_of_a_catalog_is_refused(run: Run, place: Place) -> None:
    code, out, err = run("export", "--to", "rvps", *SELECTED, "--diff", "", str(place.log), "--trust", str(place.trust))
    assert (code, out) == (2, "")
    assert "ldcat: error: invalid value for '--diff': the path is empty\n" in err


def test_a_format_without_updates_is_refused(run: Run, small: BuildResult) -> None:
    between = ("--diff", str(small.folder), str(small.folder), "--unpublished")
    code, out, err = run("export", "--to", "dstack", *SELECTED, *between)
    assert (code, out) == (2, "")
    assert "formats with --diff: " in err


def test_options_that_do_not_belong_together_are_named(run: Run, place: Place, small: BuildResult) -> None:
    line = ("export", "--to", "rvps", *SELECTED, "--diff", str(place.log / "releases/1"))
    code, _, err = run(*line, "--trust", str(place.trust))
    assert (code, "--diff takes two values, and " in err, "--diff OLD NEW" in err) == (2, True, True)
    code, _, err = run(*line, str(place.log), *place.options())
    assert (code, "ldcat: error: --catalog and --diff are given\n" in err) == (2, True)
