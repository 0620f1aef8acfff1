"""Types of related digests in the JSON of the service."""

from __future__ import annotations

import msgspec

from catalog.web.answer_types import Hex


class PageOriginAnswer(msgspec.Struct):
    """What makes an AP page. vcpu_signature: null if the VMM does not measure it."""

    vmm: str
    reset_address: str
    vcpu_signature: str | None
    vcpu_types: list[str]
    sev_features: str


class ApPageAnswer(msgspec.Struct):
    """The VMSA page of an AP: SHA-384 of its contents, and everything that makes it."""

    contents_sha384: Hex
    made_by: list[PageOriginAnswer]


class RelatedAnswer(msgspec.Struct):
    """A known digest of which the one that was looked up is the same launch with another number of vCPUs.

    label: what is known about it.
    more_vcpus: vCPUs that the unknown digest has more; negative: fewer.
    vcpus: of the unknown digest; null if that is not known.
    """

    launch_digest: Hex
    label: str
    more_vcpus: int
    vcpus: int | None
    ap_page: ApPageAnswer
