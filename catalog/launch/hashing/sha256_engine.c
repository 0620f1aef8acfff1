/* The SHA-256 engines: portable, AVX2, AVX-512, SHA extensions. */
#include "sha256_engine.h"

#include "../../abi/sha256.h"
#include "implementations.h"

/* Sums are made in the order in which they are written: it is the one that waits least for the round before. */
#pragma GCC optimize("no-tree-reassoc")

#define MAJORITY_OF_BITS(x, y, z) (((x) & (y)) | ((z) & ((x) | (y))))

#define WIDTH 4
#define REGISTERS 1
#define TARGET
#define MAJORITY MAJORITY_OF_BITS
#define NAME(x) portable_##x
#include "sha256_lanes.h"
static const struct sha256_engine portable[] = {{4, portable_schedule, portable_rounds, NULL}, {0}};

#if defined(__x86_64__)
#include <immintrin.h>

#define WIDTH 8
#define REGISTERS 2
#define TARGET __attribute__((target("avx2")))
#define MAJORITY MAJORITY_OF_BITS
#define NAME(x) avx2_16_##x
#include "sha256_lanes.h"

#define WIDTH 8
#define REGISTERS 1
#define TARGET __attribute__((target("avx2")))
#define MAJORITY MAJORITY_OF_BITS
#define NAME(x) avx2_8_##x
#include "sha256_lanes.h"
static const struct sha256_engine avx2[] = {
    {16, avx2_16_schedule, avx2_16_rounds, NULL},
    {8, avx2_8_schedule, avx2_8_rounds, NULL},
    {0},
};

/* Compilers find the one instruction for the other functions of three words, but not for this one. */
#define AVX512_MAJORITY(x, y, z) \
    (NAME(word)) _mm512_ternarylogic_epi32((__m512i)(x), (__m512i)(y), (__m512i)(z), 0xe8)

#define WIDTH 16
#define REGISTERS 3
#define TARGET __attribute__((target("avx512f")))
#define MAJORITY AVX512_MAJORITY
#define NAME(x) avx512_48_##x
#include "sha256_lanes.h"

#define WIDTH 16
#define REGISTERS 2
#define TARGET __attribute__((target("avx512f")))
#define MAJORITY AVX512_MAJORITY
#define NAME(x) avx512_32_##x
#include "sha256_lanes.h"

#define WIDTH 16
#define REGISTERS 1
#define TARGET __attribute__((target("avx512f")))
#define MAJORITY AVX512_MAJORITY
#define NAME(x) avx512_16_##x
#include "sha256_lanes.h"
static const struct sha256_engine avx512[] = {
    {48, avx512_48_schedule, avx512_48_rounds, NULL},
    {32, avx512_32_schedule, avx512_32_rounds, NULL},
    {16, avx512_16_schedule, avx512_16_rounds, NULL},
    {0},
};

#define LANES 6
#define NAME(x) ni_6_##x
#include "sha256_ni.h"

#define LANES 4
#define NAME(x) ni_4_##x
#include "sha256_ni.h"

#define LANES 2
#define NAME(x) ni_2_##x
#include "sha256_ni.h"

#define LANES 1
#define NAME(x) ni_1_##x
#include "sha256_ni.h"
static const struct sha256_engine sha_ni[] = {
    {6, ni_6_schedule, ni_6_rounds, ni_6_compress},
    {4, ni_4_schedule, ni_4_rounds, ni_4_compress},
    {2, ni_2_schedule, ni_2_rounds, ni_2_compress},
    {1, ni_1_schedule, ni_1_rounds, ni_1_compress},
    {0},
};
#endif

const struct sha256_engine *sha256_engines_of(int implementation) {
    if (!ldcat_has_implementation(implementation))
        return NULL;
    switch (implementation) {
    case LDCAT_PORTABLE:
        return portable;
#if defined(__x86_64__)
    case LDCAT_AVX2:
        return avx2;
    case LDCAT_AVX512:
        return avx512;
    case LDCAT_SHA_NI:
        return sha_ni;
#endif
    default:
        return NULL;
    }
}
