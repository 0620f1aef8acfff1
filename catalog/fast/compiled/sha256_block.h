/* SHA-256 of blocks of 4096 bytes, leaves and nodes of fs-verity's tree. FIPS 180-4, 6.2.2. */
#ifndef LDCAT_SHA256_BLOCK_H
#define LDCAT_SHA256_BLOCK_H

#include <string.h>

#include "../../abi/sha256.h"

#define BLOCK 4096

static const uint32_t sha256_initial[8] = {
    0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19,
};

/* The form of all three: `count` blocks of 64 bytes from `data` on into the state; of several messages, `stride` apart. */
static void sha256_portable(uint32_t states[][8], const uint8_t *data, size_t stride, size_t count) {
    uint32_t kw[64];
    (void)stride;
    for (size_t i = 0; i < count; i++) {
        sha256_schedule(kw, data + 64 * i);
        sha256_rounds(states[0], kw);
    }
}

#if defined(__x86_64__)
#include <cpuid.h>
#include <immintrin.h>

#define SHA_NI __attribute__((target("sha,sse4.1")))
#define LANES 2 /* one alone waits for its instructions half of the time */

/* The instructions keep the words of a state as ABEF and CDGH. */
SHA_NI static inline void ni_load(const uint32_t state[8], __m128i *abef, __m128i *cdgh) {
    __m128i dcba = _mm_shuffle_epi32(_mm_loadu_si128((const __m128i *)state), 0xb1);
    __m128i hgfe = _mm_shuffle_epi32(_mm_loadu_si128((const __m128i *)(state + 4)), 0x1b);
    *abef = _mm_alignr_epi8(dcba, hgfe, 8), *cdgh = _mm_blend_epi16(hgfe, dcba, 0xf0);
}

SHA_NI static inline void ni_store(uint32_t state[8], __m128i abef, __m128i cdgh) {
    __m128i feba = _mm_shuffle_epi32(abef, 0x1b), dchg = _mm_shuffle_epi32(cdgh, 0xb1);
    _mm_storeu_si128((__m128i *)state, _mm_blend_epi16(feba, dchg, 0xf0));
    _mm_storeu_si128((__m128i *)(state + 4), _mm_alignr_epi8(dchg, feba, 8));
}

/* `lanes` messages, each `stride` bytes after the one before. */
SHA_NI static inline __attribute__((always_inline)) void ni_compress(
    uint32_t states[][8], const uint8_t *data, size_t stride, size_t count, const int lanes) {
    const __m128i big_endian = _mm_set_epi64x(0x0c0d0e0f08090a0b, 0x0405060700010203);
    __m128i w[LANES][16], abef[LANES], cdgh[LANES], abef_before[LANES], cdgh_before[LANES];
    for (int lane = 0; lane < lanes; lane++)
        ni_load(states[lane], &abef[lane], &cdgh[lane]);
    for (; count; count--, data += 64) {
        for (int lane = 0; lane < lanes; lane++)
            abef_before[lane] = abef[lane], cdgh_before[lane] = cdgh[lane];
#pragma GCC unroll 16
        for (int i = 0; i < 16; i++)
#pragma GCC unroll 2
            for (int lane = 0; lane < lanes; lane++) {
                __m128i *v = w[lane];
                if (i < 4)
                    v[i] = _mm_shuffle_epi8(_mm_loadu_si128((const __m128i *)(data + stride * lane) + i), big_endian);
                else
                    v[i] = _mm_sha256msg2_epu32(_mm_add_epi32(_mm_sha256msg1_epu32(v[i - 4], v[i - 3]),
                                                              _mm_alignr_epi8(v[i - 1], v[i - 2], 4)),
                                                v[i - 1]);
                __m128i kw = _mm_add_epi32(v[i], ((const __m128i *)sha256_constants)[i]);
                cdgh[lane] = _mm_sha256rnds2_epu32(cdgh[lane], abef[lane], kw);
                abef[lane] = _mm_sha256rnds2_epu32(abef[lane], cdgh[lane], _mm_shuffle_epi32(kw, 0x0e));
            }
        for (int lane = 0; lane < lanes; lane++) {
            abef[lane] = _mm_add_epi32(abef[lane], abef_before[lane]);
            cdgh[lane] = _mm_add_epi32(cdgh[lane], cdgh_before[lane]);
        }
    }
    for (int lane = 0; lane < lanes; lane++)
        ni_store(states[lane], abef[lane], cdgh[lane]);
}

SHA_NI static void sha256_ni(uint32_t states[][8], const uint8_t *data, size_t stride, size_t count) {
    ni_compress(states, data, stride, count, 1);
}

SHA_NI static void sha256_ni_lanes(uint32_t states[][8], const uint8_t *data, size_t stride, size_t count) {
    ni_compress(states, data, stride, count, LANES);
}

static int has_sha256_instructions(void) {
    unsigned eax, ebx, ecx, edx;
    __builtin_cpu_init();
    return __builtin_cpu_supports("sse4.1") && __get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) && (ebx >> 29 & 1);
}
#else
#define LANES 1
#define sha256_ni sha256_portable
#define sha256_ni_lanes sha256_portable

static int has_sha256_instructions(void) {
    return 0;
}
#endif

/* Hashes of `count` blocks, one after the other. fast: whether the processor has instructions for SHA-256. */
static void sha256_blocks(const uint8_t *blocks, size_t count, int fast, uint8_t *out) {
    uint8_t padding[LANES][64] = {{0x80}};
    for (int lane = 0; lane < LANES; lane++) {
        padding[lane][0] = 0x80;
        store_big_endian_32(padding[lane] + 60, 8 * BLOCK);
    }
    while (count) {
        int lanes = fast && count >= LANES ? LANES : 1;
        void (*compress)(uint32_t[][8], const uint8_t *, size_t, size_t) =
            !fast ? sha256_portable : lanes > 1 ? sha256_ni_lanes : sha256_ni;
        uint32_t states[LANES][8];
        for (int lane = 0; lane < lanes; lane++)
            memcpy(states[lane], sha256_initial, sizeof sha256_initial);
        compress(states, blocks, BLOCK, BLOCK / 64);
        compress(states, padding[0], sizeof padding[0], 1);
        for (int i = 0; i < 8 * lanes; i++)
            store_big_endian_32(out + 4 * i, states[i / 8][i % 8]);
        blocks += (size_t)lanes * BLOCK, out += 32 * lanes, count -= (size_t)lanes;
    }
}

#endif
