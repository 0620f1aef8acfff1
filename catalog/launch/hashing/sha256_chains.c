/* SEV-ES vCPU chains: SHA-256 over one VMSA page a vCPU, many chains at once.
 *
 * The pages are the same for every chain, so their message schedules are made once. 4096 is a multiple of 64:
 * how many bytes are carried over from block to block never changes, and each digest is that of the state
 * after a page, the carried bytes and the padding.
 */
#include "hashing.h"

#include <stdlib.h>
#include <string.h>

#include "../../abi/sha256.h"
#include "sha256_engine.h"

#define BLOCK 64
#define PAGE 4096
#define PAGE_BLOCKS (PAGE / BLOCK)

/* Schedules of the blocks of a page that lie wholly in it, and of the one its end and the next page begin. */
struct schedules {
    uint32_t bsp_rest[64 * PAGE_BLOCKS], bsp_to_ap[64], ap_rest[64 * PAGE_BLOCKS], ap_to_ap[64];
};

static void schedule_rest(uint32_t *kw, const uint8_t *page, size_t carried_size) {
    const uint8_t *block = page + BLOCK - carried_size;
    for (int i = 0; i < PAGE_BLOCKS - 1; i++)
        sha256_schedule(kw + 64 * i, block + BLOCK * i);
}

static void schedule_seam(uint32_t *kw, const uint8_t *page, const uint8_t *next, size_t carried_size) {
    uint8_t block[BLOCK];
    memcpy(block, page + PAGE - carried_size, carried_size);
    memcpy(block + carried_size, next, BLOCK - carried_size);
    sha256_schedule(kw, block);
}

static void digests_of(const struct sha256_engine *engine, const uint32_t *states, const uint8_t *tail,
                       size_t carried_size, const uint64_t *lengths, uint32_t *finished) {
    uint8_t blocks[2][MAX_SHA256_LANES * BLOCK];
    size_t last = carried_size + 9 > BLOCK; /* the padding needs a second block */
    memset(blocks, 0, sizeof blocks);
    for (size_t lane = 0; lane < engine->lanes; lane++) {
        memcpy(blocks[0] + BLOCK * lane, tail, carried_size);
        blocks[0][BLOCK * lane + carried_size] = 0x80;
        store_big_endian_32(blocks[last] + BLOCK * lane + 56, (uint32_t)(lengths[lane] >> 29));
        store_big_endian_32(blocks[last] + BLOCK * lane + 60, (uint32_t)(lengths[lane] << 3));
    }
    memcpy(finished, states, 32 * engine->lanes);
    for (size_t i = 0; i <= last; i++)
        engine->own(finished, blocks[i]);
}

/* Up to `lanes` chains from their states to the last count; lanes without a chain repeat the last one. */
static void walk(const struct sha256_engine *engine, size_t chains, const struct schedules *kw,
                 const uint8_t *midstates, const uint8_t *carried, size_t carried_size, const uint64_t *lengths,
                 const uint8_t *bsp, const uint8_t *ap, const uint32_t *counts, size_t count_of_counts, uint8_t *out) {
    uint32_t states[8 * MAX_SHA256_LANES], finished[8 * MAX_SHA256_LANES];
    uint64_t hashed[MAX_SHA256_LANES];
    uint8_t first[MAX_SHA256_LANES * BLOCK];
    for (size_t lane = 0; lane < engine->lanes; lane++) {
        size_t chain = lane < chains ? lane : chains - 1;
        for (int i = 0; i < 8; i++)
            states[8 * lane + i] = load_big_endian_32(midstates + 32 * chain + 4 * i);
        hashed[lane] = lengths[chain];
        memcpy(first + BLOCK * lane, carried + carried_size * chain, carried_size);
        memcpy(first + BLOCK * lane + carried_size, bsp, BLOCK - carried_size);
    }
    for (size_t emitted = 0, vcpus = 1; emitted < count_of_counts; vcpus++) {
        if (vcpus == 1)
            engine->own(states, first);
        else
            engine->same(states, vcpus == 2 ? kw->bsp_to_ap : kw->ap_to_ap, 1);
        engine->same(states, vcpus == 1 ? kw->bsp_rest : kw->ap_rest, PAGE_BLOCKS - 1);
        for (size_t lane = 0; lane < engine->lanes; lane++)
            hashed[lane] += PAGE;
        if (counts[emitted] != vcpus)
            continue;
        const uint8_t *tail = (vcpus == 1 ? bsp : ap) + PAGE - carried_size;
        digests_of(engine, states, tail, carried_size, hashed, finished);
        for (size_t chain = 0; chain < chains; chain++)
            for (int i = 0; i < 8; i++)
                store_big_endian_32(out + 32 * (chain * count_of_counts + emitted) + 4 * i, finished[8 * chain + i]);
        emitted++;
    }
}

int ldcat_sha256_chains(int implementation, size_t chains, const uint8_t *midstates, const uint8_t *carried,
                        size_t carried_size, const uint64_t *lengths, const uint8_t *bsp, const uint8_t *ap,
                        const uint32_t *counts, size_t count_of_counts, uint8_t *out) {
    const struct sha256_engine *engine = sha256_engine_of(implementation);
    struct schedules *kw = engine ? malloc(sizeof *kw) : NULL;
    if (!kw)
        return engine ? LDCAT_NO_MEMORY : LDCAT_NO_IMPLEMENTATION;
    schedule_rest(kw->bsp_rest, bsp, carried_size);
    schedule_rest(kw->ap_rest, ap, carried_size);
    schedule_seam(kw->bsp_to_ap, bsp, ap, carried_size);
    schedule_seam(kw->ap_to_ap, ap, ap, carried_size);
    for (size_t done = 0; done < chains; done += engine->lanes) {
        size_t left = chains - done;
        walk(engine, left < engine->lanes ? left : engine->lanes, kw, midstates + 32 * done,
             carried + carried_size * done, carried_size, lengths + done, bsp, ap, counts, count_of_counts,
             out + 32 * count_of_counts * done);
    }
    free(kw);
    return LDCAT_DONE;
}
