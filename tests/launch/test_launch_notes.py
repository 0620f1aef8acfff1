"""Notes on a launch digest: what is said of a build, and of kernel hashes that nothing enforces."""

from __future__ import annotations

from catalog.launch.launch_notes import kernel_warnings, not_known, why


def test_a_build_that_is_not_known_to_launch() -> None:
    note = not_known("OVMF.fd", "sev-snp", "nobody tried", "")
    assert (note.code, note.text) == ("launch-not-known", "OVMF.fd is not known to launch under sev-snp: nobody tried")
    assert why("sev", "it was tried", "a test") == "sev: it was tried (a test)"


def test_kernel_hashes_that_are_not_enforced() -> None:
    assert kernel_warnings("OVMF.fd", "yes") == []
    assert [note.code for note in kernel_warnings("OVMF.fd", "no")] == ["kernel-hashes-not-enforced"]
    assert [note.text for note in kernel_warnings("a", "unknown")] == ["whether a enforces kernel hashes is unknown"]
