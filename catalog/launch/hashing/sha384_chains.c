/* SNP launches: one SHA-384 of 112 bytes a page or vCPU, many chains at once. FIPS 180-4, 5.3.4 and 6.4. */
#include "hashing.h"

#include "implementations.h"

static const uint64_t sha512_constants[80] = {
    0x428a2f98d728ae22, 0x7137449123ef65cd, 0xb5c0fbcfec4d3b2f, 0xe9b5dba58189dbbc,
    0x3956c25bf348b538, 0x59f111f1b605d019, 0x923f82a4af194f9b, 0xab1c5ed5da6d8118,
    0xd807aa98a3030242, 0x12835b0145706fbe, 0x243185be4ee4b28c, 0x550c7dc3d5ffb4e2,
    0x72be5d74f27b896f, 0x80deb1fe3b1696b1, 0x9bdc06a725c71235, 0xc19bf174cf692694,
    0xe49b69c19ef14ad2, 0xefbe4786384f25e3, 0x0fc19dc68b8cd5b5, 0x240ca1cc77ac9c65,
    0x2de92c6f592b0275, 0x4a7484aa6ea6e483, 0x5cb0a9dcbd41fbd4, 0x76f988da831153b5,
    0x983e5152ee66dfab, 0xa831c66d2db43210, 0xb00327c898fb213f, 0xbf597fc7beef0ee4,
    0xc6e00bf33da88fc2, 0xd5a79147930aa725, 0x06ca6351e003826f, 0x142929670a0e6e70,
    0x27b70a8546d22ffc, 0x2e1b21385c26c926, 0x4d2c6dfc5ac42aed, 0x53380d139d95b3df,
    0x650a73548baf63de, 0x766a0abb3c77b2a8, 0x81c2c92e47edaee6, 0x92722c851482353b,
    0xa2bfe8a14cf10364, 0xa81a664bbc423001, 0xc24b8b70d0f89791, 0xc76c51a30654be30,
    0xd192e819d6ef5218, 0xd69906245565a910, 0xf40e35855771202a, 0x106aa07032bbd1b8,
    0x19a4c116b8d2d0c8, 0x1e376c085141ab53, 0x2748774cdf8eeb99, 0x34b0bcb5e19b48a8,
    0x391c0cb3c5c95a63, 0x4ed8aa4ae3418acb, 0x5b9cca4f7763e373, 0x682e6ff3d6b2b8a3,
    0x748f82ee5defb2fc, 0x78a5636f43172f60, 0x84c87814a1f0ab72, 0x8cc702081a6439ec,
    0x90befffa23631e28, 0xa4506cebde82bde9, 0xbef9a3f7b2c67915, 0xc67178f2e372532b,
    0xca273eceea26619c, 0xd186b8c721c0c207, 0xeada7dd6cde0eb1e, 0xf57d4f7fee6ed178,
    0x06f067aa72176fba, 0x0a637dc5a2c898a6, 0x113f9804bef90dae, 0x1b710b35131c471b,
    0x28db77f523047d84, 0x32caab7b40c72493, 0x3c9ebe0a15c9bebc, 0x431d67c49c100d4c,
    0x4cc5d4becb3e42b6, 0x597f299cfc657e2a, 0x5fcb6fab3ad6faec, 0x6c44198c4a475817,
};

static const uint64_t sha384_initial[8] = {
    0xcbbb9d5dc1059ed8, 0x629a292a367cd507, 0x9159015a3070dd17, 0x152fecd8f70e5939,
    0x67332667ffc00b31, 0x8eb44a8768581511, 0xdb0c2e0d64f98fa7, 0x47b5481dbefa4fa4,
};

#define MESSAGE_BITS (8 * 112)
#define PAGE_INFO_SIZE 0x7000000000000000 /* LENGTH, 0x70 in the first of the 16 bytes after CONTENTS */

static inline uint64_t load_big_endian_64(const uint8_t *bytes) {
    uint64_t word = 0;
    for (int i = 0; i < 8; i++)
        word = word << 8 | bytes[i];
    return word;
}

static inline void store_big_endian_64(uint8_t *bytes, uint64_t word) {
    for (int i = 0; i < 8; i++)
        bytes[i] = (uint8_t)(word >> (56 - 8 * i));
}

static inline uint64_t rotate_right_64(uint64_t word, int count) {
    return word >> count | word << (64 - count);
}

/* Schedule of the second block, which holds nothing but the length; the round constants added. */
static void length_schedule(uint64_t kw[80]) {
    for (int i = 0; i < 16; i++)
        kw[i] = i == 15 ? MESSAGE_BITS : 0;
    for (int i = 16; i < 80; i++) {
        uint64_t x = kw[i - 15], y = kw[i - 2];
        kw[i] = kw[i - 16] + (rotate_right_64(x, 1) ^ rotate_right_64(x, 8) ^ x >> 7) + kw[i - 7] +
                (rotate_right_64(y, 19) ^ rotate_right_64(y, 61) ^ y >> 6);
    }
    for (int i = 0; i < 80; i++)
        kw[i] += sha512_constants[i];
}

#define WIDTH 1
#define REGISTERS 1
#define TARGET
#define NAME(x) single_##x
#include "sha384_lanes.h"

#define WIDTH 4
#define REGISTERS 1
#define TARGET
#define NAME(x) portable_##x
#include "sha384_lanes.h"

#if defined(__x86_64__)
#define WIDTH 4
#define REGISTERS 1
#define TARGET __attribute__((target("avx2,tune=znver2")))
#define NAME(x) avx2_##x
#include "sha384_lanes.h"

#define WIDTH 8
#define REGISTERS 2
#define TARGET __attribute__((target("avx512f")))
#define NAME(x) avx512_16_##x
#include "sha384_lanes.h"

#define WIDTH 8
#define REGISTERS 1
#define TARGET __attribute__((target("avx512f")))
#define NAME(x) avx512_8_##x
#include "sha384_lanes.h"
#endif

typedef void walk(size_t chains, const uint8_t *digests, const uint8_t *bsp, const uint8_t *ap, const uint32_t *counts,
                  size_t count_of_counts, const uint64_t length_kw[80], uint8_t *out);
typedef void fold_pages(size_t chains, const struct ldcat_pages *pages, const uint8_t *contents,
                        const uint64_t length_kw[80], uint8_t *digests);

/* What hashes up to so many lanes at once. */
struct sha384_engine {
    size_t lanes;
    walk *walk;
    fold_pages *pages;
};

/* The engine that takes least time for so many chains; one without lanes if the processor cannot run it. */
static struct sha384_engine engine_of(int implementation, size_t chains) {
    if (!ldcat_has_implementation(implementation) || implementation == LDCAT_SHA_NI)
        return (struct sha384_engine){0};
    if (chains == 1) /* lanes side by side would take twice as long */
        return (struct sha384_engine){1, single_walk, single_pages};
    switch (implementation) {
    case LDCAT_PORTABLE:
        return (struct sha384_engine){4, portable_walk, portable_pages};
#if defined(__x86_64__)
    case LDCAT_AVX2:
        return (struct sha384_engine){4, avx2_walk, avx2_pages};
    case LDCAT_AVX512:
        return chains > 8 ? (struct sha384_engine){16, avx512_16_walk, avx512_16_pages}
                          : (struct sha384_engine){8, avx512_8_walk, avx512_8_pages};
#endif
    default:
        return (struct sha384_engine){0};
    }
}

int ldcat_sha384_chains(int implementation, size_t chains, const uint8_t *digests, const uint8_t *bsp,
                        const uint8_t *ap, const uint32_t *counts, size_t count_of_counts, uint8_t *out) {
    uint64_t length_kw[80];
    if (!engine_of(implementation, chains).lanes)
        return LDCAT_NO_IMPLEMENTATION;
    length_schedule(length_kw);
    for (size_t done = 0, some; done < chains; done += some) {
        struct sha384_engine engine = engine_of(implementation, chains - done);
        some = chains - done < engine.lanes ? chains - done : engine.lanes;
        engine.walk(some, digests + 48 * done, bsp + 64 * done, ap + 64 * done, counts, count_of_counts, length_kw,
                    out + 48 * count_of_counts * done);
    }
    return LDCAT_DONE;
}

int ldcat_sha384_pages(int implementation, size_t chains, const struct ldcat_pages *pages, const uint8_t *contents,
                       uint8_t *digests) {
    uint64_t length_kw[80];
    if (!engine_of(implementation, chains).lanes)
        return LDCAT_NO_IMPLEMENTATION;
    length_schedule(length_kw);
    for (size_t done = 0, some; done < chains; done += some) {
        struct sha384_engine engine = engine_of(implementation, chains - done);
        some = chains - done < engine.lanes ? chains - done : engine.lanes;
        engine.pages(some, pages + done, contents, length_kw, digests + 48 * done);
    }
    return LDCAT_DONE;
}
