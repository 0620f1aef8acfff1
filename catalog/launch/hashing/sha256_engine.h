/* The SHA-256 compression function over several lanes: some engines, for few lanes or many, of each implementation. */
#ifndef LDCAT_SHA256_ENGINE_H
#define LDCAT_SHA256_ENGINE_H

#include <stddef.h>
#include <stdint.h>

#define MAX_SHA256_LANES 48
#define LANES_ALIGNMENT 64 /* bytes: of the schedules of lanes */

/* A message schedule, the round constants added: 64 words for all lanes, or what an engine made for each lane. */
struct sha256_block {
    const uint32_t *kw;
    int shared;
};

struct sha256_engine {
    size_t lanes;
    /* blocks: 64 bytes for each lane; kw: lanes times 64 words, aligned, in an order that only the engine knows */
    void (*schedule)(uint32_t *kw, const uint8_t *const *blocks);
    /* states: lanes times eight words, which go through some blocks */
    void (*rounds)(uint32_t *states, const struct sha256_block *blocks, size_t count);
    /* both at once, for one block; or NULL where that is no faster */
    void (*compress)(uint32_t *states, const uint8_t *const *blocks);
};

/* The engines of an implementation, the one with most lanes first, and one without lanes at the end; or NULL if SHA-256
 * has no implementation of that number, or if this processor cannot run it. */
const struct sha256_engine *sha256_engines_of(int implementation);

/* Where blocks are that lie one after the other, lane by lane. */
static inline void sha256_each(const uint8_t *blocks[MAX_SHA256_LANES], const uint8_t *first) {
    for (size_t lane = 0; lane < MAX_SHA256_LANES; lane++)
        blocks[lane] = first + 64 * lane;
}

/* One block of 64 bytes for each lane. */
static inline void sha256_own(const struct sha256_engine *engine, uint32_t *states, const uint8_t *const *blocks) {
    if (engine->compress) {
        engine->compress(states, blocks);
        return;
    }
    uint32_t kw[64 * MAX_SHA256_LANES] __attribute__((aligned(LANES_ALIGNMENT)));
    engine->schedule(kw, blocks);
    engine->rounds(states, &(struct sha256_block){kw, 0}, 1);
}

/* One block, of which `kw` is the schedule, for all lanes. */
static inline void sha256_same(const struct sha256_engine *engine, uint32_t *states, const uint32_t *kw) {
    engine->rounds(states, &(struct sha256_block){kw, 1}, 1);
}

#endif
