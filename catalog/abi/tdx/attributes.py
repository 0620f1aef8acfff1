"""ATTRIBUTES and XFAM of a TD, each bit by its name.

Source: Intel TDX Module ABI Reference Specification, ATTRIBUTES and XFAM; Linux, arch/x86/include/asm/shared/tdx.h and
arch/x86/include/asm/fpu/types.h (the state components that the bits of XFAM stand for).
"""

from __future__ import annotations

from catalog.abi.structure import Bit, BitField


class TdAttributes(BitField):
    """The u64 attributes of a TD.

    NOT_TRUSTED: mask of the group TUD, for TDs under debug: they are not to be trusted.
    UNDER_DEBUG: mask of the bits besides `debug` for TDs that are not to be trusted.
    UNDER_PROFILING: mask of the bits for TDs that the host may watch.
    """

    __slots__ = ()

    NOT_TRUSTED = 0xFF
    UNDER_DEBUG = 0xE
    UNDER_PROFILING = 0xFFF0

    debug = Bit(0)
    hgs_plus_prof = Bit(4)
    perf_prof = Bit(5)
    pmt_prof = Bit(6)
    icssd = Bit(16)
    lass = Bit(27)
    sept_ve_disable = Bit(28)
    migratable = Bit(29)
    pks = Bit(30)
    kl = Bit(31)
    tpa = Bit(62)
    perfmon = Bit(63)

    def bits_of(self, mask: int) -> list[str]:
        """Names of the bits of a mask that are set; `bit N` for one without a name."""
        names = {at: name for name, at in self.NAMES.items()}
        set_bits = self.value & mask
        return [names.get(at, f"bit {at}") for at in range(set_bits.bit_length()) if set_bits >> at & 1]


class Xfam(BitField):
    """The u64 mask of the extended states that a TD may use, as in XCR0 and IA32_XSS."""

    __slots__ = ()

    x87 = Bit(0)
    sse = Bit(1)
    avx = Bit(2)
    bndregs = Bit(3)
    bndcsr = Bit(4)
    avx512_opmask = Bit(5)
    avx512_zmm_hi256 = Bit(6)
    avx512_hi16_zmm = Bit(7)
    pt = Bit(8)
    pkru = Bit(9)
    pasid = Bit(10)
    cet_u = Bit(11)
    cet_s = Bit(12)
    hdc = Bit(13)
    uintr = Bit(14)
    lbr = Bit(15)
    hwp = Bit(16)
    amx_tilecfg = Bit(17)
    amx_tiledata = Bit(18)
    apx = Bit(19)
