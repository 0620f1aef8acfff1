/* SHA-256 of pages, each by itself, many at once: the leaves of a Merkle tree over a file. */
#include "hashing.h"

#include <string.h>

#include "../../abi/sha256.h"
#include "sha256_engine.h"

#define BLOCK 64
#define PAGE 4096

static const uint32_t initial[8] = {
    0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19,
};

int ldcat_sha256_pages(int implementation, const uint8_t *pages, size_t count, uint8_t *out) {
    const struct sha256_engine *engine = sha256_engines_of(implementation);
    uint32_t states[8 * MAX_SHA256_LANES], padding_kw[64];
    uint8_t padding[BLOCK] = {0x80};
    const uint8_t *blocks[MAX_SHA256_LANES];
    if (!engine)
        return LDCAT_NO_IMPLEMENTATION;
    store_big_endian_32(padding + 60, 8 * PAGE);
    sha256_schedule(padding_kw, padding);
    for (size_t done = 0; done < count; done += engine->lanes) {
        size_t left = count - done, filled = left < engine->lanes ? left : engine->lanes;
        for (size_t lane = 0; lane < engine->lanes; lane++)
            memcpy(states + 8 * lane, initial, sizeof initial);
        for (size_t at = 0; at < PAGE; at += BLOCK) {
            for (size_t lane = 0; lane < engine->lanes; lane++) /* lanes without a page repeat the first one */
                blocks[lane] = pages + PAGE * (done + (lane < filled ? lane : 0)) + at;
            sha256_own(engine, states, blocks);
        }
        sha256_same(engine, states, padding_kw);
        for (size_t lane = 0; lane < filled; lane++)
            for (int i = 0; i < 8; i++)
                store_big_endian_32(out + 32 * (done + lane) + 4 * i, states[8 * lane + i]);
    }
    return LDCAT_DONE;
}
