"""Note: what a reader of an answer must know, with a code that stays the same; docs/notes.md lists all codes."""

from __future__ import annotations

OK, INFO, WARNING, DANGER = SEVERITIES = ("ok", "info", "warning", "danger")
"""Severities, the least first.

ok: what was checked is as it should be. info: for information. warning: less is proven than it seems, or not everything
was looked at. danger: do not rely on it.
"""

CODES = {
    "author-key-is-id-key": INFO,
    "author-key-not-used": WARNING,
    "base-not-endorsed": WARNING,
    "base-of-rows": INFO,
    "catalog-not-published": WARNING,
    "claim-contradicted": DANGER,
    "configmap-needs-server-side": WARNING,
    "consumer-needs-option": INFO,
    "consumer-refuses": WARNING,
    "corim-adds-values": WARNING,
    "corim-not-for-rvps": INFO,
    "corim-policy-not-compared": WARNING,
    "debug-allowed": DANGER,
    "deprecated": WARNING,
    "digest-covers-igvm-file": WARNING,
    "digest-covers-no-kernel": WARNING,
    "digest-ignores-input": INFO,
    "digest-not-found": INFO,
    "digest-only-claimed": WARNING,
    "digests-differ": DANGER,
    "endorser-claims": INFO,
    "endorsers-asked": INFO,
    "event-data-differ": DANGER,
    "event-log-differs": DANGER,
    "event-log-has-rest": WARNING,
    "event-log-matches": OK,
    "event-log-not-proven": WARNING,
    "event-log-of-any-firmware": WARNING,
    "event-not-covered": WARNING,
    "explain-searches-further": INFO,
    "export-accepts-more": WARNING,
    "exported-endorsed": WARNING,
    "firmware-asked": INFO,
    "firmware-differs": DANGER,
    "firmware-not-public": INFO,
    "host-chooses-value": WARNING,
    "host-digest-ignored": WARNING,
    "id-block-differs": DANGER,
    "id-block-launch": INFO,
    "id-block-matches": OK,
    "igvm-header-ignored": INFO,
    "igvm-mask-undeclared": INFO,
    "igvm-padding-not-zero": WARNING,
    "igvm-pages-overlap": WARNING,
    "image-for-hygon-csv": WARNING,
    "image-for-other-machine": WARNING,
    "image-is-svsm": WARNING,
    "image-maybe-part": WARNING,
    "image-needs-flash": INFO,
    "image-too-large": WARNING,
    "image-unwrapped": INFO,
    "image-without-sev-metadata": WARNING,
    "inferred": INFO,
    "kernel-hashes-enforced": OK,
    "kernel-hashes-may-not-halt": WARNING,
    "kernel-hashes-maybe-enforced": WARNING,
    "kernel-hashes-not-enforced": DANGER,
    "key-info-unknown": WARNING,
    "key-sharing-allowed": WARNING,
    "later-revocations-unknown": WARNING,
    "launch-incomplete": INFO,
    "launch-not-expected": DANGER,
    "launch-not-known": WARNING,
    "launch-of-other-vcpu-type": INFO,
    "launch-of-other-vmm": WARNING,
    "loader-not-observed": INFO,
    "loader-path-unknown": WARNING,
    "measurement-matches": OK,
    "measurement-not-found": INFO,
    "migration-agent-allowed": WARNING,
    "not-related": INFO,
    "older-proof-accepted": WARNING,
    "other-export-replaced": WARNING,
    "pek-not-checked": WARNING,
    "platform-bit-unknown": INFO,
    "policy-bit-unknown": WARNING,
    "product-unknown": INFO,
    "publisher-claims": INFO,
    "publisher-verified-document": INFO,
    "qe-vendor-unknown": WARNING,
    "quote-body-unknown": WARNING,
    "quote-signature-unreadable": WARNING,
    "record-type-unknown": WARNING,
    "related-not-searched": INFO,
    "relation-shows-equal-firmware": INFO,
    "release-not-last": WARNING,
    "report-field-unknown": WARNING,
    "report-not-verified": WARNING,
    "report-version-unknown": INFO,
    "requested-by-host": WARNING,
    "reserved-not-zero": INFO,
    "revocations-not-committed": WARNING,
    "revocations-not-shown": WARNING,
    "revoked": DANGER,
    "rows-differ": INFO,
    "rows-left-out": INFO,
    "rtmr-not-predicted": INFO,
    "rtmrs-not-covered": INFO,
    "rvps-expiration-ignored": WARNING,
    "rvps-file-replaces-all": WARNING,
    "rvps-list-large": WARNING,
    "rvps-name-not-default": INFO,
    "rvps-name-refused-by-stores": WARNING,
    "rvps-other-names": INFO,
    "rvps-overwrites": WARNING,
    "rvps-resource-policy-decides": WARNING,
    "rvps-verifies-nothing": INFO,
    "sending-allowed": WARNING,
    "sept-ve-enabled": WARNING,
    "several-configurations": WARNING,
    "signature-algorithm-unknown": WARNING,
    "signed-by-vlek": INFO,
    "svn-refused": DANGER,
    "tcb-layout-unknown": WARNING,
    "td-attribute-unknown": WARNING,
    "td-migratable": WARNING,
    "td-module-not-intel": WARNING,
    "td-not-trusted": DANGER,
    "td-profiled": WARNING,
    "tdreport-not-signed": WARNING,
    "technology-unknown": WARNING,
    "token-not-verified": WARNING,
    "vcpus-not-listed": INFO,
    "vmpl-above-0": INFO,
    "vmpl-unknown": WARNING,
    "xfam-bit-unknown": INFO,
}
"""Severity of each code."""


class Note:
    """A note. code: one of CODES. text: a sentence for people, which may change between versions.

    Raises KeyError for a code that is not in CODES.
    """

    __slots__ = ("code", "severity", "text")

    def __init__(self, code: str, text: str) -> None:
        self.code, self.severity, self.text = code, CODES[code], text

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Note) and (self.code, self.text) == (other.code, other.text)

    def __hash__(self) -> int:
        return hash((self.code, self.text))

    def __repr__(self) -> str:
        return f"Note({self.code!r}, {self.text!r})"

    def to_dict(self) -> dict[str, str]:
        """The note in JSON."""
        return {"code": self.code, "severity": self.severity, "text": self.text}


def worst_first(notes: list[Note]) -> list[Note]:
    """Notes by severity, danger first; those of one severity stay in order."""
    return sorted(notes, key=lambda note: -SEVERITIES.index(note.severity))
