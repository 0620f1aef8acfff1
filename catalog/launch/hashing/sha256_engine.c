/* The SHA-256 engines: portable, AVX2, AVX-512, SHA extensions. */
#include "sha256_engine.h"

#include "../../abi/sha256.h"
#include "implementations.h"

#define WIDTH 4
#define REGISTERS 1
#define TARGET
#define NAME(x) portable_##x
#include "sha256_lanes.h"
static const struct sha256_engine portable = {4, portable_same, portable_own};

#if defined(__x86_64__)
#define WIDTH 8
#define REGISTERS 2
#define TARGET __attribute__((target("avx2")))
#define NAME(x) avx2_##x
#include "sha256_lanes.h"
static const struct sha256_engine avx2 = {16, avx2_same, avx2_own};

#define WIDTH 16
#define REGISTERS 2
#define TARGET __attribute__((target("avx512f")))
#define NAME(x) avx512_##x
#include "sha256_lanes.h"
static const struct sha256_engine avx512 = {32, avx512_same, avx512_own};

#include "sha256_ni.h"
static const struct sha256_engine sha_ni = {NI_LANES, ni_same, ni_own};
#endif

const struct sha256_engine *sha256_engine_of(int implementation) {
    if (!ldcat_has_implementation(implementation))
        return NULL;
    switch (implementation) {
    case LDCAT_PORTABLE:
        return &portable;
#if defined(__x86_64__)
    case LDCAT_AVX2:
        return &avx2;
    case LDCAT_AVX512:
        return &avx512;
    case LDCAT_SHA_NI:
        return &sha_ni;
#endif
    default:
        return NULL;
    }
}
