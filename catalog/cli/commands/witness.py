"""`ldcat witness`: run a witness, and ask witnesses to cosign a checkpoint."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from catalog.ask.evidence_files import read_bounded
from catalog.cli.help_form import Example, Group
from catalog.cli.options import (
    KEY,
    OwnLogOption,
    OwnTrustOption,
    PassphraseOption,
    QuietOption,
    TableFormatOption,
    named_path,
    read_passphrase,
)
from catalog.cli.publisher_options import log_folder, own_trust
from catalog.errors import UntrustedSigner, WitnessRefused
from catalog.terminal import render
from catalog.terminal.render import Format
from catalog.terminal.short_lines import first_named

if TYPE_CHECKING:  # cryptography takes long to load
    from catalog.publish.witness_requests import Submission, WitnessResult
    from catalog.transparency.keys import VerifierKey

HELP_ORDER = 230
HELP_GROUP = Group.AUDITORS
EXAMPLES = {
    "": (
        Example(
            "ldcat witness ask --log public --trust trust.note", "Ask the witnesses of a log to cosign", runs=False
        ),
    ),
    "serve": (
        Example(
            "ldcat witness serve --key keys/witness.key --logs policy.txt --db witness.db "
            "--listen 127.0.0.1:8081 --create",
            "Run a new witness for the logs that a policy names",
            runs=False,
        ),
    ),
    "ask": (
        Example(
            "ldcat witness ask --log public --trust trust.note",
            "Ask every witness of the policy to cosign the checkpoint",
            runs=False,
        ),
    ),
}
EXIT_CODES = {
    "ask": {
        0: "the quorum is reached",
        6: "it is not reached",
        8: "it is reached by cosignatures that are too old",
        12: "alarm: a witness saw more leaves than this log has, or other ones",
    },
}

ANSWER_SECONDS = 60
"""Seconds in which every witness has to answer, all requests to it included."""

MAX_AT_ONCE = 64
"""Number of witnesses that are asked at the same time."""

app = typer.Typer(help="Run a witness (C2SP tlog-witness), and ask witnesses to cosign.")


@app.command("serve")
def serve(
    key: Annotated[Path, KEY],
    logs: Annotated[
        Path,
        typer.Option(
            parser=named_path,
            metavar="FILE",
            envvar="LDCAT_WITNESS_LOGS",
            help="The logs to cosign: a list of logs (logs/v0), or a C2SP tlog-policy with log lines.",
        ),
    ],
    db: Annotated[
        Path,
        typer.Option(
            parser=named_path, metavar="FILE", envvar="LDCAT_WITNESS_DB", help="Database of cosigned checkpoints."
        ),
    ],
    listen: Annotated[
        str,
        typer.Option(
            metavar="HOST:PORT",
            envvar="LDCAT_WITNESS_LISTEN",
            help="Where to listen; port 0 means any free port.",
        ),
    ],
    create: Annotated[bool, typer.Option("--create", help="Make the database, for a witness with new keys.")] = False,
    passphrase: PassphraseOption = None,
    quiet: QuietOption = False,
) -> int:
    """Cosign checkpoints that are consistent with the last one cosigned, until SIGTERM or SIGINT.

    SIGHUP: the file of --logs is read again. New logs are added; a log that is gone from it is still witnessed.

    The service speaks plain HTTP: put a reverse proxy with TLS in front of it. It does not start without its database,
    because a witness that does not know what it cosigned may cosign a fork.
    """
    from catalog.web import server

    server.need_extra("starlette", "granian")
    from catalog.publish.key_files import read_keys
    from catalog.publish.witness_store import WitnessStore
    from catalog.transparency.log_list import MAX_LIST, logs_to_witness
    from catalog.transparency.witness import Witness
    from catalog.web.serving import run_granian
    from catalog.web.witness_app import MAX_CONNECTIONS, LiveWitness, witness_app

    def read() -> Mapping[str, tuple[VerifierKey, ...]]:
        return logs_to_witness(read_bounded(str(logs), sys.stdin.buffer, MAX_LIST))

    signers = [pair.signer for pair in read_keys(key, read_passphrase(passphrase))]
    live = LiveWitness(Witness.of_origins(read(), signers), read)
    with server.listen(listen) as listening:
        store = WitnessStore.create(db) if create else WitnessStore.open(db)
        names = ", ".join(dict.fromkeys(signer.key.name for signer in signers))
        ready = f"{names} witnesses {first_named(live.now.logs)} at {server.listening_url(listening)}"
        web = witness_app(live, store, lambda: int(time.time()))
        run_granian(
            web,
            listening,
            ready=lambda: None if quiet else render.note(ready),
            connections=MAX_CONNECTIONS,
            hangup=live.reread,
        )
    return 0


@app.command("ask")
def ask(
    log: OwnLogOption = None,
    trust_file: OwnTrustOption = None,
    allow_http: Annotated[
        bool, typer.Option("--allow-http", help="Also ask witnesses on other machines over plain HTTP.")
    ] = False,
    output: TableFormatOption = Format.TABLE,
) -> int:
    """Ask every witness of the policy that has an address to cosign the published checkpoint.

    New cosignatures are verified and added to the checkpoint; those that it has already stay.
    """
    from catalog.log.log_folder import LogFolder
    from catalog.publish.witness_requests import Submission
    from catalog.transparency.note import Verified
    from catalog.transparency.witness import SMALL_REQUEST

    trust = own_trust(trust_file)
    submission = Submission.of(LogFolder(log_folder(log)), trust.policy)
    if submission.most_bytes > SMALL_REQUEST:
        render.warning(
            f"a request for this log has up to {submission.most_bytes:,} bytes, and some witnesses read no more than "
            f"{SMALL_REQUEST:,}: sign with fewer keys"
        )
    answers = _ask_all(submission, allow_http=allow_http)
    note = submission.add([line for answer in answers.values() for line in answer.cosignatures])
    signers = submission.signers(note)
    rows = _rows(submission, answers, signers)
    _show(submission, rows, output)
    if alarmed := [str(row["witness"]) for row in rows if row["alarm"]]:
        raise WitnessRefused(
            f"{', '.join(alarmed)} saw more of this log, or another history: it was rolled back or forked",
            "publish nothing more: find out whether a backup was restored, or who else has the keys of the log",
        )
    if not trust.policy.accepts(signers):
        missing = [name for name, key in trust.policy.witnesses.items() if key not in signers]
        raise UntrustedSigner(f"the quorum is not reached: not cosigned by {', '.join(missing)}", "ask again later")
    if trust.policy.quorum is not None:
        trust.check_fresh([Verified(key, at) for key, at in signers.items()], None, int(time.time()))
    return 0


def _ask_all(submission: Submission, *, allow_http: bool) -> dict[str, WitnessResult]:
    """The answers of all witnesses, by address. They are asked at the same time and with one deadline, so that none
    waits for another that hangs.
    """
    from catalog.net.http_client import Deadline
    from catalog.net.http_post import post

    asking = partial(post, allow_http=allow_http, deadline=Deadline.after(ANSWER_SECONDS))
    addresses = list(submission.addresses)
    with ThreadPoolExecutor(MAX_AT_ONCE) as pool:
        answers = pool.map(lambda address: submission.ask(address, asking), addresses)
        return dict(zip(addresses, answers, strict=True))


def _rows(
    submission: Submission, answers: Mapping[str, WitnessResult], signers: Mapping[VerifierKey, int]
) -> list[dict[str, object]]:
    """Each witness of the policy, and the result of asking it: `witnesses` in JSON, see docs/command-line.md."""
    from catalog.publish.witness_requests import WitnessResult

    rows: list[dict[str, object]] = []
    for name, key in submission.policy.witnesses.items():
        address = submission.policy.witness_urls.get(name, "").removesuffix("/")
        answer = answers[address] if address else WitnessResult((), "no address")
        is_new = (key.name, key.key_id) in {(line.name, line.key_id) for line in answer.cosignatures}
        rows.append(
            {
                "witness": name,
                "address": address or None,
                "cosigned": key in signers,
                "cosignature": "no" if key not in signers else "now" if is_new else "had",
                "time": signers.get(key),
                "status": answer.status,
                "alarm": answer.is_alarm,
                "why": answer.why,
            }
        )
    return rows


def _show(submission: Submission, rows: list[dict[str, object]], output: Format) -> None:
    if output is Format.JSON:
        render.json_document({"checkpoint": submission.checkpoint.to_dict(), "witnesses": rows})
    else:
        answers = [(str(row["witness"]), _words(row)) for row in rows]
        render.facts([("leaves", submission.checkpoint.size), *answers], title=submission.checkpoint.origin)


def _words(row: Mapping[str, object]) -> str:
    cosigned = {"now": "cosigned", "had": "cosigned before, but not now", "no": "not cosigned"}
    words = f"ALARM, {cosigned[str(row['cosignature'])]}" if row["alarm"] else cosigned[str(row["cosignature"])]
    return f"{words}: {row['why']}" if row["why"] else words
