"""AP pages: the VMSA pages with which a launch may have continued, one vCPU after the other.

Under KVM, EC2 and GCE the VMSA pages come last in an SNP launch, and all APs have the same page. So the launch digest
for n + k vCPUs is that for n vCPUs, extended k times by the AP page.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import product
from typing import Any

from catalog.abi.page_info import PageType, contents_digest, page_info_tail
from catalog.abi.vcpu import VcpuSignature
from catalog.launch.profile import VmmProfile
from catalog.launch.technology import technology_named
from catalog.spec import embedded

TECHNOLOGY = "sev-snp"
"""The only technology whose launch digest is the state of a chain that can be continued."""

STAGE0_RESET_ADDRESS = 0x3009
"""Where Project Oak's stage0 has its APs start. Source: its published digests for 1, 4, 16 and 64 vCPUs."""

UPPER_HALF = 0xFFFF0000
"""Of a reset address: CS.base of the AP; the lower half is RIP."""


@dataclass(frozen=True, slots=True)
class PageOrigin:
    """What makes an AP page.

    vmm: name of the profile.
    vcpu_signature: None if the profile does not measure it.
    sev_features: u64, as in the VMSA.
    reset_address: 32-bit address at which the APs start.
    """

    vmm: str
    vcpu_signature: VcpuSignature | None
    sev_features: int
    reset_address: int

    def __str__(self) -> str:
        """One line, such as `gce-v1, reset address 0x80b004, sev_features 0x1`."""
        parts = [self.vmm, f"reset address {self.reset_address:#x}"]
        if self.vcpu_signature:
            names = embedded.vcpu_types().names(self.vcpu_signature)
            parts.append(f"vCPU signature {self.vcpu_signature}" + (f" ({names[0]})" if names else ""))
        return ", ".join([*parts, f"sev_features {self.sev_features:#x}"])

    def to_dict(self) -> dict[str, Any]:
        """An element of `made_by` in the JSON of `ldcat relate`."""
        signature = self.vcpu_signature
        return {
            "vmm": self.vmm,
            "reset_address": f"{self.reset_address:#x}",
            "vcpu_signature": signature and str(signature),
            "vcpu_types": list(embedded.vcpu_types().names(signature)) if signature else [],
            "sev_features": f"{self.sev_features:#x}",
        }


@dataclass(frozen=True, slots=True)
class ApPage:
    """A VMSA page of an AP, as it is measured.

    tail: PAGE_INFO after the digest, 64 bytes: SHA-384 of the contents, page type and address.
    origins: everything that makes this page.
    """

    tail: bytes
    origins: tuple[PageOrigin, ...]

    def __str__(self) -> str:
        return " or ".join(map(str, self.origins))


@dataclass(frozen=True, slots=True)
class PageForm:
    """An AP page; or AP pages that differ in the lower half of their reset address only.

    page: 4096 bytes; of several, the one whose lower half is zero.
    gpa: guest-physical address under which the page is measured.
    """

    page: bytes
    gpa: int


def known_reset_addresses() -> list[int]:
    """AP reset addresses of the embedded builds, the most frequent first, and that of stage0."""
    found = [build.component.reset_vector for build in embedded.builds().values()]
    addresses = sorted({address for address in found if address}, key=lambda one: (-found.count(one), one))
    return list(dict.fromkeys([*addresses, STAGE0_RESET_ADDRESS]))


def usual_features() -> list[int]:
    """sev_features in practice: the default, and the default with one of the usual bits."""
    technology = technology_named(TECHNOLOGY)
    default = technology.default_sev_features
    return [default, *(default | bit for bit in technology.usual_sev_features)]


def ap_pages(addresses: Sequence[int], features: Sequence[int]) -> list[ApPage]:
    """Every AP page of the embedded profiles and named vCPU signatures once, the likeliest first.

    addresses: reset addresses.
    features: values of sev_features.
    """
    origins = (origin for one, address in product(features, addresses) for origin in _origins(address, one))
    return list(pages_made_by(origins, embedded.vmsa_profiles()))


@cache
def known_pages() -> tuple[ApPage, ...]:
    """The AP pages of all embedded profiles, known reset addresses, named vCPU signatures and usual sev_features."""
    return tuple(ap_pages(known_reset_addresses(), usual_features()))


@cache
def likely_pages() -> tuple[ApPage, ...]:
    """Those of `known_pages` with the default sev_features."""
    return tuple(ap_pages(known_reset_addresses(), usual_features()[:1]))


def pages_made_by(origins: Iterable[PageOrigin], profiles: Mapping[str, VmmProfile]) -> Iterator[ApPage]:
    """Each AP page that some origins make, once. profiles: by name, with those of all origins, which launch SEV-SNP."""
    found: dict[bytes, tuple[PageOrigin, ...]] = {}
    for origin in origins:
        form = _form(origin, profiles)
        tail = page_info_tail(PageType.VMSA, form.gpa, contents_digest(form.page))
        found[tail] = (*found.get(tail, ()), origin)
    return (ApPage(tail, made_by) for tail, made_by in found.items())


def page_forms(upper_half: int) -> list[PageForm]:
    """The forms of the AP pages of all embedded profiles and named vCPU signatures, with the default sev_features.

    upper_half: of the reset address, a multiple of 65,536.
    """
    default = technology_named(TECHNOLOGY).default_sev_features
    return list(dict.fromkeys(_form(origin, embedded.vmsa_profiles()) for origin in _origins(upper_half, default)))


def _form(origin: PageOrigin, profiles: Mapping[str, VmmProfile]) -> PageForm:
    """The page that an origin makes."""
    profile = profiles[origin.vmm]
    assert profile.snp is not None, "callers leave other profiles out"  # noqa: S101
    signature = origin.vcpu_signature or VcpuSignature(0)
    page = profile.vmsa_page(origin.reset_address, signature, origin.sev_features, bsp=False)
    return PageForm(page, profile.snp.vmsa_gpa)


def _origins(address: int, features: int) -> Iterator[PageOrigin]:
    """Everything that makes an AP page with a reset address and sev_features; what measures no vCPU signature first."""
    named = list(dict.fromkeys(embedded.vcpu_types().by_name.values()))
    for profile in sorted(embedded.vmsa_profiles().values(), key=lambda one: one.measures_signature):  # stable
        if profile.snp is None:
            continue
        for signature in named if profile.measures_signature else [None]:
            yield PageOrigin(profile.name, signature, features, address)
