/* SHA-256 of one block of 4096 bytes, a leaf or node of fs-verity's tree. FIPS 180-4, 6.2.2. */
#ifndef LDCAT_SHA256_BLOCK_H
#define LDCAT_SHA256_BLOCK_H

#include "../../abi/sha256.h"

#define BLOCK 4096

static void sha256_portable(uint32_t state[8], const uint8_t *data, size_t count) {
    uint32_t kw[64];
    for (size_t i = 0; i < count; i++) {
        sha256_schedule(kw, data + 64 * i);
        sha256_rounds(state, kw);
    }
}

#if defined(__x86_64__)
#include <cpuid.h>
#include <immintrin.h>

/* The instructions keep the words of a state as ABEF and CDGH. */
__attribute__((target("sha,sse4.1"))) static void sha256_ni(uint32_t state[8], const uint8_t *data, size_t count) {
    const __m128i big_endian = _mm_set_epi64x(0x0c0d0e0f08090a0b, 0x0405060700010203);
    __m128i dcba = _mm_shuffle_epi32(_mm_loadu_si128((const __m128i *)state), 0xb1);
    __m128i hgfe = _mm_shuffle_epi32(_mm_loadu_si128((const __m128i *)(state + 4)), 0x1b);
    __m128i abef = _mm_alignr_epi8(dcba, hgfe, 8), cdgh = _mm_blend_epi16(hgfe, dcba, 0xf0);
    for (; count; count--, data += 64) {
        __m128i w[16], abef_before = abef, cdgh_before = cdgh;
#pragma GCC unroll 16
        for (int i = 0; i < 16; i++) {
            if (i < 4)
                w[i] = _mm_shuffle_epi8(_mm_loadu_si128((const __m128i *)data + i), big_endian);
            else
                w[i] = _mm_sha256msg2_epu32(
                    _mm_add_epi32(_mm_sha256msg1_epu32(w[i - 4], w[i - 3]), _mm_alignr_epi8(w[i - 1], w[i - 2], 4)),
                    w[i - 1]);
            __m128i kw = _mm_add_epi32(w[i], ((const __m128i *)sha256_constants)[i]);
            cdgh = _mm_sha256rnds2_epu32(cdgh, abef, kw);
            abef = _mm_sha256rnds2_epu32(abef, cdgh, _mm_shuffle_epi32(kw, 0x0e));
        }
        abef = _mm_add_epi32(abef, abef_before);
        cdgh = _mm_add_epi32(cdgh, cdgh_before);
    }
    __m128i feba = _mm_shuffle_epi32(abef, 0x1b), dchg = _mm_shuffle_epi32(cdgh, 0xb1);
    _mm_storeu_si128((__m128i *)state, _mm_blend_epi16(feba, dchg, 0xf0));
    _mm_storeu_si128((__m128i *)(state + 4), _mm_alignr_epi8(dchg, feba, 8));
}

static int has_sha256_instructions(void) {
    unsigned eax, ebx, ecx, edx;
    __builtin_cpu_init();
    return __builtin_cpu_supports("sse4.1") && __get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) && (ebx >> 29 & 1);
}
#else
#define sha256_ni sha256_portable

static int has_sha256_instructions(void) {
    return 0;
}
#endif

/* fast: whether the processor has instructions for SHA-256. */
static void sha256_block(const uint8_t block[BLOCK], int fast, uint8_t out[32]) {
    uint32_t state[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
    uint8_t padding[64] = {0x80};
    store_big_endian_32(padding + 60, 8 * BLOCK);
    void (*compress)(uint32_t *, const uint8_t *, size_t) = fast ? sha256_ni : sha256_portable;
    compress(state, block, BLOCK / 64);
    compress(state, padding, 1);
    for (int i = 0; i < 8; i++)
        store_big_endian_32(out + 4 * i, state[i]);
}

#endif
