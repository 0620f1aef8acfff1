/* SHA-256 compression from a given state: what hashlib cannot do. */
#include "sha256.h"

/* state: the midstate as 32 big-endian bytes, changed in place; blocks: count times 64 bytes */
static void ldcat_sha256_compress(uint8_t state[32], const uint8_t *blocks, size_t count) {
    uint32_t words[8], kw[64];
    for (int i = 0; i < 8; i++)
        words[i] = load_big_endian_32(state + 4 * i);
    for (size_t i = 0; i < count; i++) {
        sha256_schedule(kw, blocks + 64 * i);
        sha256_rounds(words, kw);
    }
    for (int i = 0; i < 8; i++)
        store_big_endian_32(state + 4 * i, words[i]);
}
