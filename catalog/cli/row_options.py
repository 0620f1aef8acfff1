"""Options that select rows and endorsed digests by their fields: one for each field of a record, and --vcpu-type."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import wraps
from typing import Annotated, Any, get_type_hints

import typer

from catalog.cli.options import number_option
from catalog.rows.fields import RECORD, Field

PANEL = "Rows and endorsed digests to select: those that fit all of these options"

_SPECIAL: dict[str, tuple[tuple[str, ...], str | None, str]] = {
    "launch_digest": (("--digest",), "DIGEST", "Launch digest in hex or base64."),
    "technology": (("--technology", "-t"), None, "Technology: sev, sev-es, sev-snp or tdx."),
    "firmware_sha256": (
        ("--firmware",),
        "NAME|HASH",
        "Firmware: name of a build, SHA-256 of the image, or, if nobody publishes that, its SNP baseline: the launch "
        "digest after the image alone.",
    ),
    "base_digest": (("--base",), "NAME|DIGEST", "Base that rows follow from: its name, or its launch digest."),
    "kernel_hashes_sha256": (
        ("--kernel-hashes",),
        "NAME|SHA256|none",
        "Kernel hashes table by name or SHA-256, or none.",
    ),
    "vmm": (("--vmm",), "PROFILE", "VMM profile."),
    "vcpus": (("--vcpus",), "N", "Number of vCPUs."),
    "vcpu_signature": (("--vcpu-signature",), "N", "vCPU signature: CPUID Fn0000_0001 EAX."),
    "sev_features": (("--sev-features",), "BITS", "sev_features of the VMSA."),
}
"""By field: options, metavar and help, if they differ from the name and the meaning of the field."""

_ENDORSED = (
    ("endorser_scheme", "--endorser-scheme", "NAME", "Endorsed digests: form of the document."),
    ("endorser_id", "--endorser", "ID", "Endorsed digests: who endorses, as a lookup shows it."),
    ("endorser_feed", "--endorser-feed", "NAME|none", "Endorsed digests: feed of the endorser."),
    ("endorser_svn", "--endorser-svn", "N|none", "Endorsed digests: security version number."),
    ("document_sha256", "--document", "SHA256|none", "Endorsed digests: SHA-256 of the document."),
)
"""Fields of endorsed digests that no row has: name, option, metavar, help."""

_VCPU_TYPE = ("vcpu_type", "--vcpu-type", "NAME", "vCPU model, as QEMU names it.")


def with_row_options(command: Callable[..., int]) -> Callable[..., int]:
    """A decorator: the command gets these options, and their values as the parameter `selected`.

    selected: by name of the field, or "vcpu_type"; options that are not given are left out.
    """
    hints = get_type_hints(command, include_extras=True)
    options = [_parameter(field) for field in RECORD if field.name != "firmware_snp_baseline"]  # --firmware takes it
    name, option, metavar, text = _VCPU_TYPE
    place = next(n for n, one in enumerate(options) if one.name == "vcpu_signature")
    options.insert(place, _of_text(name, (option,), metavar, text))
    options += [_of_text(name, (option,), metavar, text) for name, option, metavar, text in _ENDORSED]
    names = [one.name for one in options]

    @wraps(command)
    def wrapped(**given: Any) -> int:
        selected = {name: value for name in names if (value := given.pop(name)) is not None}
        return command(**given, selected=selected)

    kept = [one.replace(annotation=hints[name]) for name, one in inspect.signature(command).parameters.items()]
    shown = [one for one in kept if one.name != "selected"] + options
    shown = [one.replace(kind=inspect.Parameter.KEYWORD_ONLY) for one in shown]
    wrapped.__signature__ = inspect.Signature(shown, return_annotation=int)  # type: ignore[attr-defined]
    wrapped.__annotations__ = {one.name: one.annotation for one in shown}
    return wrapped


def _parameter(field: Field) -> inspect.Parameter:
    default = ((f"--{field.name.replace('_', '-')}",), None, field.meaning)
    options, metavar, text = _SPECIAL.get(field.name, default)
    if not field.kind.arrow.startswith("uint"):
        return _of_text(field.name, options, metavar, text)
    option = typer.Option(*options, parser=number_option, metavar=metavar or "N", help=text, rich_help_panel=PANEL)
    return _optional(field.name, Annotated[int | None, option])


def _of_text(name: str, options: tuple[str, ...], metavar: str | None, text: str) -> inspect.Parameter:
    return _optional(
        name, Annotated[str | None, typer.Option(*options, metavar=metavar, help=text, rich_help_panel=PANEL)]
    )


def _optional(name: str, annotation: Any) -> inspect.Parameter:
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation)
