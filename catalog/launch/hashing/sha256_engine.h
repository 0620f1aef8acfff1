/* The SHA-256 compression function over several lanes: one engine for each implementation. */
#ifndef LDCAT_SHA256_ENGINE_H
#define LDCAT_SHA256_ENGINE_H

#include <stddef.h>
#include <stdint.h>

#define MAX_SHA256_LANES 32

struct sha256_engine {
    size_t lanes;
    /* states: lanes times eight words; schedules: blocks times 64 words, which every lane takes */
    void (*same)(uint32_t *states, const uint32_t *schedules, size_t blocks);
    /* blocks: lanes times 64 bytes, one block for each lane */
    void (*own)(uint32_t *states, const uint8_t *blocks);
};

/* The engine of an implementation, or NULL if SHA-256 has none of that number or this processor cannot run it. */
const struct sha256_engine *sha256_engine_of(int implementation);

#endif
