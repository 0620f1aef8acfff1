/* SEV-ES vCPU chains: SHA-256 over one VMSA page a vCPU, many chains at once, each with VMSA pages of its own.
 *
 * From the second vCPU on all pages of a chain are the same, so that message schedules are made for two pages only.
 * 4096 is a multiple of 64: how many bytes of a chain are carried over from block to block never changes, and each
 * digest is that of the state after a page, the carried bytes and the padding.
 */
#include "hashing.h"

#include <stdlib.h>
#include <string.h>

#include "../../abi/sha256.h"
#include "sha256_engine.h"

#define BLOCK 64
#define PAGE 4096
#define PAGE_BLOCKS (PAGE / BLOCK)

/* The chains that are hashed at once, one in each lane.
 *
 * carried: in the first carried_size bytes, what is hashed before `page`, the page of the next vCPU.
 * blocks: those between the carried bytes and the last carried_size bytes of the page, with schedules in `kw`.
 */
struct pass {
    const struct sha256_engine *engine;
    uint32_t states[8 * MAX_SHA256_LANES];
    uint64_t hashed[MAX_SHA256_LANES];
    size_t carried_size[MAX_SHA256_LANES];
    uint8_t carried[MAX_SHA256_LANES][BLOCK];
    const uint8_t *page[MAX_SHA256_LANES];
    struct sha256_block blocks[PAGE_BLOCKS];
    uint32_t *kw;
};

/* The schedule of a block, of which each lane has the `bytes`: one for all lanes if they are the same. */
static void schedule(struct pass *pass, size_t number, const uint8_t *const bytes[MAX_SHA256_LANES]) {
    const size_t lanes = pass->engine->lanes;
    uint32_t *kw = pass->kw + 64 * lanes * number;
    int shared = 1;
    for (size_t lane = 1; lane < lanes && shared; lane++)
        shared = bytes[lane] == bytes[lane - 1] || !memcmp(bytes[lane], bytes[0], BLOCK);
    if (shared)
        sha256_schedule(kw, bytes[0]);
    else
        pass->engine->schedule(kw, bytes);
    pass->blocks[number] = (struct sha256_block){kw, shared};
}

/* The first block of the pages: the carried bytes, and how a page begins. */
static void schedule_seam(struct pass *pass) {
    const uint8_t *bytes[MAX_SHA256_LANES];
    for (size_t lane = 0; lane < pass->engine->lanes; lane++) {
        const size_t carried_size = pass->carried_size[lane];
        memcpy(pass->carried[lane] + carried_size, pass->page[lane], BLOCK - carried_size);
        bytes[lane] = pass->carried[lane];
    }
    schedule(pass, 0, bytes);
}

/* The blocks that lie wholly in the pages. Most of a VMSA is zeros: such a block has the schedule of the one before. */
static void schedule_rest(struct pass *pass) {
    const uint8_t *bytes[MAX_SHA256_LANES];
    for (size_t number = 1; number < PAGE_BLOCKS; number++) {
        int repeats = number > 1;
        for (size_t lane = 0; lane < pass->engine->lanes; lane++) {
            bytes[lane] = pass->page[lane] + BLOCK * number - pass->carried_size[lane];
            repeats = repeats && !memcmp(bytes[lane], bytes[lane] - BLOCK, BLOCK);
        }
        if (repeats)
            pass->blocks[number] = pass->blocks[number - 1];
        else
            schedule(pass, number, bytes);
    }
}

/* What each lane carries after its page. */
static void carry(struct pass *pass) {
    for (size_t lane = 0; lane < pass->engine->lanes; lane++)
        memcpy(pass->carried[lane], pass->page[lane] + PAGE - pass->carried_size[lane], pass->carried_size[lane]);
}

/* The digests after a page: of its last bytes, carried over, and one or two blocks of padding. */
static void digests_of(const struct pass *pass, uint32_t *finished) {
    const size_t lanes = pass->engine->lanes;
    uint8_t blocks[2][MAX_SHA256_LANES * BLOCK];
    const uint8_t *each[2][MAX_SHA256_LANES];
    uint32_t longer[8 * MAX_SHA256_LANES];
    size_t twice = 0; /* lanes whose padding needs a second block */
    memset(blocks, 0, sizeof blocks);
    for (size_t lane = 0; lane < lanes; lane++) {
        const size_t carried_size = pass->carried_size[lane], last = carried_size + 9 > BLOCK;
        memcpy(blocks[0] + BLOCK * lane, pass->page[lane] + PAGE - carried_size, carried_size);
        blocks[0][BLOCK * lane + carried_size] = 0x80;
        store_big_endian_32(blocks[last] + BLOCK * lane + 56, (uint32_t)(pass->hashed[lane] >> 29));
        store_big_endian_32(blocks[last] + BLOCK * lane + 60, (uint32_t)(pass->hashed[lane] << 3));
        twice += last;
    }
    sha256_each(each[0], blocks[0]);
    sha256_each(each[1], blocks[1]);
    memcpy(finished, pass->states, 32 * lanes);
    sha256_own(pass->engine, finished, each[0]);
    if (!twice)
        return;
    memcpy(longer, finished, 32 * lanes);
    sha256_own(pass->engine, longer, each[1]);
    for (size_t lane = 0; lane < lanes; lane++)
        if (pass->carried_size[lane] + 9 > BLOCK)
            memcpy(finished + 8 * lane, longer + 8 * lane, 32);
}

/* From the states, with the page of the BSP, to the last count. ap: page of each lane from the second vCPU on. */
static void walk(struct pass *pass, size_t chains, const uint8_t *const ap[MAX_SHA256_LANES], const uint32_t *counts,
                 size_t count_of_counts, uint8_t *out) {
    uint32_t finished[8 * MAX_SHA256_LANES];
    for (size_t emitted = 0, vcpus = 1; emitted < count_of_counts; vcpus++) {
        if (vcpus == 2 || vcpus == 3)
            carry(pass);
        if (vcpus == 2)
            memcpy(pass->page, ap, sizeof pass->page);
        if (vcpus <= 3)
            schedule_seam(pass);
        if (vcpus <= 2)
            schedule_rest(pass);
        pass->engine->rounds(pass->states, pass->blocks, PAGE_BLOCKS);
        for (size_t lane = 0; lane < pass->engine->lanes; lane++)
            pass->hashed[lane] += PAGE;
        if (counts[emitted] != vcpus)
            continue;
        digests_of(pass, finished);
        for (size_t chain = 0; chain < chains; chain++)
            for (int i = 0; i < 8; i++)
                store_big_endian_32(out + 32 * (chain * count_of_counts + emitted) + 4 * i, finished[8 * chain + i]);
        emitted++;
    }
}

size_t ldcat_sha256_lanes(int implementation, size_t number) {
    const struct sha256_engine *engine = sha256_engines_of(implementation);
    for (; engine && engine->lanes && number; number--)
        engine++;
    return engine ? engine->lanes : 0;
}

int ldcat_sha256_chains(int implementation, size_t lanes, size_t chains, const uint8_t *midstates,
                        const uint8_t *carried, const uint64_t *lengths, const uint8_t *pages, const uint32_t *bsp,
                        const uint32_t *ap, const uint32_t *counts, size_t count_of_counts, uint8_t *out) {
    const struct sha256_engine *engine = sha256_engines_of(implementation);
    while (engine && engine->lanes && engine->lanes != lanes)
        engine++;
    if (!engine || !engine->lanes)
        return LDCAT_NO_IMPLEMENTATION;
    struct pass pass = {.engine = engine, .kw = aligned_alloc(LANES_ALIGNMENT, PAGE_BLOCKS * 256 * lanes)};
    if (!pass.kw)
        return LDCAT_NO_MEMORY;
    for (size_t done = 0; done < chains; done += lanes) {
        size_t filled = chains - done < lanes ? chains - done : lanes;
        const uint8_t *later[MAX_SHA256_LANES];
        for (size_t lane = 0; lane < lanes; lane++) { /* lanes without a chain repeat the last one */
            size_t chain = done + (lane < filled ? lane : filled - 1);
            for (int i = 0; i < 8; i++)
                pass.states[8 * lane + i] = load_big_endian_32(midstates + 32 * chain + 4 * i);
            pass.hashed[lane] = lengths[chain];
            pass.carried_size[lane] = lengths[chain] % BLOCK;
            memcpy(pass.carried[lane], carried + BLOCK * chain, BLOCK);
            pass.page[lane] = pages + (size_t)PAGE * bsp[chain];
            later[lane] = pages + (size_t)PAGE * ap[chain];
        }
        walk(&pass, filled, later, counts, count_of_counts, out + 32 * count_of_counts * done);
    }
    free(pass.kw);
    return LDCAT_DONE;
}
