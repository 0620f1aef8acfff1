"""page.json: the data that the lookup page needs of a release. It has texts ready to show, so scripts contain no rules.

Values that follow from the fields of a row are derived by the scripts, because a host could change them here.
"""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Iterable, Mapping
from contextlib import closing
from typing import TYPE_CHECKING, Any

from catalog.abi.digest import LaunchDigest
from catalog.abi.vcpu import VcpuSignature
from catalog.ask.answer import found_answer
from catalog.ask.answer_text import endorsement_notes, title_without_match, told_endorsements
from catalog.ask.lookup import Lookups, shown_base
from catalog.ask.verification import VerificationInputs
from catalog.evidence.evidence import Evidence
from catalog.fast.match import endorser_text, inferred_note, kernel_note, launch_notes, no_kernel_note
from catalog.fast.match_text import REVOKED, firmware_facts, no_kernel_text
from catalog.imports.endorsed_facts import Base
from catalog.launch.hosted import hosted_verdict
from catalog.launch.profile import VmmProfile
from catalog.log.leaf_runs import leaf_runs
from catalog.log.log_reader import LogReader, open_log
from catalog.log.records import parse_row
from catalog.notes import Note
from catalog.pages.export_data import exports_data, not_exported
from catalog.rows.fields import BESIDE_COMPONENTS, BY_NAME, FACTS, IDENTITY, INPUTS, value_in
from catalog.store.catalog import Catalog
from catalog.store.ranges import RangeIndex
from catalog.transparency.checkpoint import Checkpoint

if TYPE_CHECKING:  # cryptography takes long to load
    from catalog.transparency.keys import VerifierKey
    from catalog.transparency.trust import Trust

NAME = "page.json"


def page_data(catalog: Catalog, index: RangeIndex, trust: Trust | None, now: float) -> bytes:
    """page.json of a catalog, as JSON in UTF-8.

    index: of the ranges of the catalog.
    trust: the trust note by which browsers verify the log; None if they cannot.
    now: seconds since 1970.

    Raises VerificationFailed, Unreadable or MalformedRecord for a damaged catalog or log.
    """
    release, technologies = catalog.release, catalog.manifest.known
    found: dict[str, Any] = {
        "format": "ldcat-page/5",
        "name": catalog.manifest.name,
        "manifest_sha256": catalog.manifest_sha256,
        "rows": catalog.manifest.rows,
        "notes": _dicts(catalog.notes),
        "digest_digits": {name: 2 * entry.digest_size for name, entry in technologies.items()},
        "release": release and {"origin": release.origin, "number": release.number, "fresh_until": release.fresh_until},
        "range": {
            "folder": f"range/{release.number if release else 0}/",
            "prefix_bits": index.prefix_bits,
            "entry_size": index.entry_size,
        },
        "axes": {name: [_text(name, value) for value in values] for name, values in index.axes.items()},
        "facts": _facts(catalog, index),
        "fields": [{"name": field.name, "label": field.label} for field in BESIDE_COMPONENTS],
        "firmware": {key.hex(): [_build(catalog, row) for row in rows] for key, rows in catalog.firmware.items()},
        "bases": {digest.hex(): [_base(base) for base in bases] for digest, bases in catalog.bases.items()},
        "kernel_hashes": {
            sha256.hex(): [_kernel(row) for row in rows] for sha256, rows in catalog.kernel_hashes.items()
        },
        "vmm": {name: profile.wire.title for name, profile in catalog.profiles.items()},
        "hosted": {name: _hosted(profile) for name, profile in catalog.profiles.items() if profile.wire.hosted},
        "vcpu_types": {
            BY_NAME["vcpu_signature"].text(value): ", ".join(names)
            for value in index.axes["vcpu_signature"]
            if value is not None and (names := catalog.vcpu_types.names(VcpuSignature(value)))
        },
        "revocations": [
            {"selector": one.selector, "severity": one.severity, "reason": one.reason} for one in catalog.revocations
        ],
        "endorsed": _endorsed(catalog, now),
        "trust": trust and trust_data(trust),
        "families": _families(catalog, index),
        "exports": exports_data(catalog),
    }
    return json.dumps(found, separators=(",", ":")).encode()


def _endorsed(catalog: Catalog, now: float) -> dict[str, dict[str, Any]]:
    """What is told of each digest that is endorsed or was reported, by the digest in hex."""
    found = {}
    digests = [
        LaunchDigest.parse(text) for text in {record.launch_digest: None for record in catalog.endorsements.records}
    ]
    prevented = not_exported(catalog, digests)
    with closing(Lookups(catalog, lambda _: None)) as lookups:
        for digest in digests:
            answer = found_answer(catalog, Evidence("launch digest", digest), VerificationInputs(), lookups.lookup)
            found[digest.hex()] = {
                "is_endorsed": bool(answer.endorsements),
                "is_revoked": answer.exit_code == REVOKED,
                "title": title_without_match(answer),
                "told": [
                    {
                        "title": one.title,
                        "facts": [[name, str(value)] for name, value in one.facts],
                        "notes": _dicts(one.notes),
                        "severity": one.severity,
                    }
                    for one in told_endorsements(answer, now)
                ],
                "notes": _dicts(endorsement_notes(answer)),
                "not_exported": prevented[digest],
            }
    return found


def _build(catalog: Catalog, row: dict[str, Any]) -> dict[str, Any]:
    enforced, version = str(row["kernel_hashes_enforced"]), row["version"]
    build, launch = catalog.builds[row["name"]], {}
    for technology in catalog.manifest.known:
        known = build.launchability(technology)
        launch[technology] = {
            "launchable": known.verdict,
            "no_kernel": no_kernel_text(technology),
            "no_kernel_note": no_kernel_note(technology, from_igvm=build.is_igvm).to_dict(),
            "notes": _dicts(launch_notes(technology, known.verdict, known.reason)),
        }
    return {
        "name": row["name"],
        "distribution": row["distribution"],
        "firmware_version": row["firmware_version"],
        "published_in": dict(firmware_facts(row)).get("published in"),
        "kernel_note": kernel_note(enforced, version).to_dict(),
        "launch": launch,
    }


def _hosted(profile: VmmProfile) -> dict[str, Any]:
    """The platform that runs a hosted VMM, and what is said of builds that are not its own."""
    verdict, reason, _ = hosted_verdict(profile.name, profile.wire.hosted, None) or ("", "", "")
    notes = {technology: _dicts(launch_notes(technology, verdict, reason)) for technology in profile.technologies}
    return {"distribution": profile.wire.hosted, "launchable": verdict, "notes": notes}


def _base(base: Base) -> dict[str, Any]:
    """What a browser shows of a row that follows from a base, beside the launch digest of the base."""
    shown = shown_base(base)
    return {
        "name": base.label,
        "vcpus": base.vcpus,
        "endorser": endorser_text(shown["endorser"]),
        "note": inferred_note(shown).to_dict(),
    }


def _dicts(notes: Iterable[Note]) -> list[dict[str, str]]:
    return [note.to_dict() for note in notes]


def _kernel(row: dict[str, Any]) -> dict[str, str]:
    """The fields of a kernel that a browser hashes and shows."""
    hashes = {name: row[name].hex() for name in ("kernel_sha256", "initrd_sha256", "cmdline_sha256")}
    return {"name": row["name"], **hashes, "append": row["append"]}


def _text(name: str, value: Any) -> str:
    """A field as JSON, as the leaf of a row has it. value: from the index of the ranges, hashes in hex."""
    field = BY_NAME[name]
    return json.dumps(value if field.kind.arrow == "binary" else field.text(value))


def _facts(catalog: Catalog, index: RangeIndex) -> dict[str, dict[str, Any]]:
    """For each fact of the rows: the fields that name its component, and its JSON text by the first one of them."""
    known = catalog.launch_components
    components: dict[str, Mapping[Any, Any]] = {
        "firmware": {key.hex(): image for key, image in known.firmware.items()},
        "kernel_hashes": {sha256.hex(): hashes for sha256, hashes in known.kernel_hashes.items()},
        "vmm": known.vmm,
    }
    return {
        fact.name: {
            "of": fact.input_names,
            "texts": {
                key: json.dumps(fact.text(value))
                for key, component in components[str(fact.component)].items()
                if (value := fact.of(component)) is not None
            },
        }
        for fact in FACTS
        if fact.name in index.facts
    }


_RUN_AXES = [field.name for field in INPUTS if field.name in (*IDENTITY, "kernel_hashes_sha256")]
"""The fields that are equal in a run of leaves: those that come before the digest."""


def _families(catalog: Catalog, index: RangeIndex) -> dict[str, Any]:
    """Runs of leaves.

    axes: the fields that are equal in a run.
    runs: for each the positions of their values on these axes, its first leaf, and its number of leaves.
    """
    release = catalog.release
    if release is None:
        return {"axes": _RUN_AXES, "runs": []}
    places = [{value: place for place, value in enumerate(index.axes[name])} for name in _RUN_AXES]
    reader = LogReader(open_log(release), Checkpoint(release.origin, release.size, bytes.fromhex(release.root)))
    found = []
    for run in leaf_runs(reader):
        row = parse_row(reader.entry(run.first))
        values = [value_in(row, name) for name in _RUN_AXES]
        if all(value in on_axis for value, on_axis in zip(values, places, strict=True)):
            found.append([*(at[value] for value, at in zip(values, places, strict=True)), run.first, run.rows])
    return {"axes": _RUN_AXES, "runs": found}


def trust_data(trust: Trust) -> dict[str, Any]:
    """Keys and policy of a trust note, as assets/signers.js reads them."""
    policy = trust.policy
    return {
        "version": trust.version,
        "expires": trust.expires,
        "max_age": trust.max_age,
        "logs": [_key(key) for key in policy.logs],
        "log_signatures": "all" if trust.all_log_signatures else "any",
        "witnesses": [
            {"witness": name, "votes": not policy.is_of_log(key), **_key(key)} for name, key in policy.witnesses.items()
        ],
        "groups": [
            {"name": name, "threshold": group.threshold, "voices": list(map(list, group.voices))}
            for name, group in policy.groups.items()
        ],
        "quorum": policy.quorum,
    }


def _key(key: VerifierKey) -> dict[str, Any]:
    """ed25519, ml_dsa_44: the public key in base64; null for a key of the other kind."""
    public_key = b64encode(key.public_key).decode("ascii")
    is_ml_dsa = key.type.public_key_size > 32
    return {
        "name": key.name,
        "id": key.key_id.hex(),
        "timed": key.type.is_timed,
        "ed25519": None if is_ml_dsa else public_key,
        "ml_dsa_44": public_key if is_ml_dsa else None,
    }
