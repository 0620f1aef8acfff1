/* SHA-256 with the SHA extensions of x86: some chains side by side, to hide the latency of each.
 *
 * Included once for each number of chains, with these defined: LANES, that number; NAME, what sets its functions apart.
 */
#include <immintrin.h>

#ifndef SHA_NI
#define SHA_NI __attribute__((target("sha,sse4.1")))

/* The instructions keep the words of a state as ABEF and CDGH. */
SHA_NI static inline void ni_load(__m128i *abef, __m128i *cdgh, const uint32_t state[8]) {
    __m128i dcba = _mm_shuffle_epi32(_mm_loadu_si128((const __m128i *)state), 0xb1);
    __m128i hgfe = _mm_shuffle_epi32(_mm_loadu_si128((const __m128i *)(state + 4)), 0x1b);
    *abef = _mm_alignr_epi8(dcba, hgfe, 8);
    *cdgh = _mm_blend_epi16(hgfe, dcba, 0xf0);
}

SHA_NI static inline void ni_store(uint32_t state[8], __m128i abef, __m128i cdgh) {
    __m128i feba = _mm_shuffle_epi32(abef, 0x1b), dchg = _mm_shuffle_epi32(cdgh, 0xb1);
    _mm_storeu_si128((__m128i *)state, _mm_blend_epi16(feba, dchg, 0xf0));
    _mm_storeu_si128((__m128i *)(state + 4), _mm_alignr_epi8(dchg, feba, 8));
}

/* One block of one or two lanes: more schedules than these do not fit in the registers. */
SHA_NI static inline __attribute__((always_inline)) void ni_compress(uint32_t *states, const uint8_t *const *blocks,
                                                                     const int lanes) {
    const __m128i big_endian = _mm_set_epi64x(0x0c0d0e0f08090a0b, 0x0405060700010203);
    const __m128i *constants = (const __m128i *)sha256_constants;
    __m128i abef[2], cdgh[2], abef_before[2], cdgh_before[2], w[4][2];
    for (int lane = 0; lane < lanes; lane++) {
        ni_load(&abef[lane], &cdgh[lane], states + 8 * lane);
        abef_before[lane] = abef[lane], cdgh_before[lane] = cdgh[lane];
    }
#pragma GCC unroll 16
    for (int i = 0; i < 16; i++)
#pragma GCC unroll 2
        for (int lane = 0; lane < lanes; lane++) {
            __m128i *four = &w[i % 4][lane];
            if (i < 4)
                *four = _mm_shuffle_epi8(_mm_loadu_si128((const __m128i *)blocks[lane] + i), big_endian);
            else {
                const __m128i last = w[(i + 3) % 4][lane];
                *four = _mm_sha256msg2_epu32(_mm_add_epi32(_mm_sha256msg1_epu32(*four, w[(i + 1) % 4][lane]),
                                                           _mm_alignr_epi8(last, w[(i + 2) % 4][lane], 4)),
                                             last);
            }
            __m128i words = _mm_add_epi32(*four, constants[i]);
            cdgh[lane] = _mm_sha256rnds2_epu32(cdgh[lane], abef[lane], words);
            abef[lane] = _mm_sha256rnds2_epu32(abef[lane], cdgh[lane], _mm_shuffle_epi32(words, 0x0e));
        }
    for (int lane = 0; lane < lanes; lane++)
        ni_store(states + 8 * lane, _mm_add_epi32(abef[lane], abef_before[lane]),
                 _mm_add_epi32(cdgh[lane], cdgh_before[lane]));
}

#endif

/* kw: of one lane after the other; step by step, since one alone waits, too. */
SHA_NI static void NAME(schedule)(uint32_t *kw, const uint8_t *const *blocks) {
    const __m128i big_endian = _mm_set_epi64x(0x0c0d0e0f08090a0b, 0x0405060700010203);
    const __m128i *constants = (const __m128i *)sha256_constants;
    __m128i w[16][LANES];
#pragma GCC unroll 16
    for (int i = 0; i < 16; i++)
#pragma GCC unroll 6
        for (int lane = 0; lane < LANES; lane++) {
            if (i < 4)
                w[i][lane] = _mm_shuffle_epi8(_mm_loadu_si128((const __m128i *)blocks[lane] + i), big_endian);
            else
                w[i][lane] = _mm_sha256msg2_epu32(
                    _mm_add_epi32(_mm_sha256msg1_epu32(w[i - 4][lane], w[i - 3][lane]),
                                  _mm_alignr_epi8(w[i - 1][lane], w[i - 2][lane], 4)),
                    w[i - 1][lane]);
            _mm_storeu_si128((__m128i *)kw + 16 * lane + i, _mm_add_epi32(w[i][lane], constants[i]));
        }
}

/* Rounds of one block; kw of lane n begins at n times `stride` words: 0 where all lanes share one schedule. */
SHA_NI static inline __attribute__((always_inline)) void NAME(block)(
    __m128i abef[LANES], __m128i cdgh[LANES], const uint32_t *kw, const size_t stride) {
    __m128i abef_before[LANES], cdgh_before[LANES];
    for (int lane = 0; lane < LANES; lane++)
        abef_before[lane] = abef[lane], cdgh_before[lane] = cdgh[lane];
#pragma GCC unroll 16
    for (int i = 0; i < 64; i += 4) {
#pragma GCC unroll 6
        for (int lane = 0; lane < LANES; lane++) {
            __m128i words = _mm_loadu_si128((const __m128i *)(kw + lane * stride + i));
            cdgh[lane] = _mm_sha256rnds2_epu32(cdgh[lane], abef[lane], words);
        }
#pragma GCC unroll 6
        for (int lane = 0; lane < LANES; lane++) {
            __m128i words = _mm_loadu_si128((const __m128i *)(kw + lane * stride + i));
            abef[lane] = _mm_sha256rnds2_epu32(abef[lane], cdgh[lane], _mm_shuffle_epi32(words, 0x0e));
        }
    }
    for (int lane = 0; lane < LANES; lane++) {
        abef[lane] = _mm_add_epi32(abef[lane], abef_before[lane]);
        cdgh[lane] = _mm_add_epi32(cdgh[lane], cdgh_before[lane]);
    }
}

SHA_NI static void NAME(rounds)(uint32_t *states, const struct sha256_block *blocks, size_t count) {
    __m128i abef[LANES], cdgh[LANES];
    for (int lane = 0; lane < LANES; lane++)
        ni_load(&abef[lane], &cdgh[lane], states + 8 * lane);
    for (const struct sha256_block *block = blocks; block < blocks + count; block++)
        if (block->shared)
            NAME(block)(abef, cdgh, block->kw, 0);
        else
            NAME(block)(abef, cdgh, block->kw, 64);
    for (int lane = 0; lane < LANES; lane++)
        ni_store(states + 8 * lane, abef[lane], cdgh[lane]);
}

SHA_NI static void NAME(compress)(uint32_t *states, const uint8_t *const *blocks) {
    for (int lane = 0; lane < LANES; lane += 2)
        ni_compress(states + 8 * lane, blocks + lane, LANES < 2 ? 1 : 2);
}

#undef LANES
#undef NAME
