/* SHA-256 of many messages at once, each with one byte in front of it: the leaves and nodes of a Merkle tree.
 *
 * A lane that has finished its message takes the next one, so that messages of different lengths keep all lanes at
 * work. Blocks that many messages begin with, as leaves of one image do, are hashed once.
 * Source: RFC 6962, 2.1; padding: FIPS 180-4, 5.1.1.
 */
#include "hashing.h"

#include <string.h>

#include "../../abi/sha256.h"
#include "sha256_engine.h"

#define BLOCK 64
#define HASH 32
#define NODE (2 * HASH)
#define NODE_PREFIX 1
#define ALIKE 256 /* messages next to each other that are compared: an entry bundle */

static const uint32_t initial[8] = {
    0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19,
};

/* Where messages are: each `sizes[i]` bytes at `starts[i]`, or, without these, a node after the other. */
struct messages {
    const uint8_t *data;
    const uint32_t *starts, *sizes;
    size_t count;
};

/* A message that a lane hashes. done: how many bytes, with prefix and padding, were hashed. made: its first block, and
 * its last ones. */
struct lane {
    const uint8_t *message;
    size_t size, done, number;
    uint8_t made[BLOCK];
};

/* What some messages next to each other begin with: `blocks` blocks of `message`, which lead to `state`. */
struct beginning {
    const uint8_t *message;
    size_t blocks;
    uint32_t state[8];
};

/* The next block of a message. Returns whether it is the last one. */
static int next_block(struct lane *lane, uint8_t prefix, const uint8_t **next) {
    size_t begin = lane->done, total = lane->size + 1, filled = 0;
    uint8_t *block = lane->made;
    if (begin && begin + BLOCK <= total) {
        *next = lane->message + begin - 1;
        lane->done += BLOCK;
        return 0;
    }
    *next = block;
    memset(block, 0, BLOCK);
    if (begin == 0)
        block[filled++] = prefix;
    if (begin + filled < total) {
        size_t left = total - begin - filled, room = BLOCK - filled, taken = left < room ? left : room;
        memcpy(block + filled, lane->message + begin + filled - 1, taken);
    }
    if (begin <= total && total < begin + BLOCK)
        block[total - begin] = 0x80;
    lane->done += BLOCK;
    if (lane->done < total + 9) /* 0x80 and the length have to fit, too */
        return 0;
    store_big_endian_32(block + 56, (uint32_t)((uint64_t)total >> 29));
    store_big_endian_32(block + 60, (uint32_t)((uint64_t)total << 3));
    return 1;
}

/* Hash the blocks that message `number` and the last of the ALIKE messages from it on begin with. */
static void begin_alike(const struct sha256_engine *engine, uint8_t prefix, const struct messages *from, size_t number,
                        struct beginning *alike) {
    size_t last = from->count - number > ALIKE ? number + ALIKE - 1 : from->count - 1, same = 0;
    size_t size = from->sizes[number] < from->sizes[last] ? from->sizes[number] : from->sizes[last];
    const uint8_t *message = from->data + from->starts[number], *other = from->data + from->starts[last];
    while (last > number && same < size && message[same] == other[same])
        same++;
    struct lane lane = {message, from->sizes[number], 0, number, {0}};
    uint32_t states[8 * MAX_SHA256_LANES] = {0};
    const uint8_t *blocks[MAX_SHA256_LANES];
    for (size_t i = 0; i < engine->lanes; i++)
        blocks[i] = lane.made; /* the other lanes hash anything */
    memcpy(states, initial, sizeof initial);
    alike->message = message;
    alike->blocks = (same + 1) / BLOCK;
    while (lane.done < BLOCK * alike->blocks) {
        next_block(&lane, prefix, &blocks[0]);
        sha256_own(engine, states, blocks);
    }
    memcpy(alike->state, states, sizeof alike->state);
}

/* Give a lane message `number`, or nothing if there is none. They are given in order. alike: what it may begin with. */
static void begin_message(const struct sha256_engine *engine, uint8_t prefix, struct lane *lane, uint32_t *state,
                          const struct messages *from, size_t number, struct beginning *alike) {
    memcpy(state, initial, sizeof initial);
    lane->done = 0;
    lane->number = number;
    lane->message = NULL;
    if (number >= from->count)
        return;
    if (from->starts && number % ALIKE == 0)
        begin_alike(engine, prefix, from, number, alike);
    lane->message = from->data + (from->starts ? from->starts[number] : NODE * number);
    lane->size = from->sizes ? from->sizes[number] : NODE;
    size_t same = BLOCK * alike->blocks;
    if (same && same <= lane->size + 1 && !memcmp(lane->message, alike->message, same - 1)) {
        memcpy(state, alike->state, sizeof alike->state);
        lane->done = same;
    }
}

/* out: may be the data of nodes itself, of which all before a hash were read when it is written */
static void hash_all(const struct sha256_engine *engine, uint8_t prefix, const struct messages *from, uint8_t *out) {
    struct lane lanes[MAX_SHA256_LANES];
    uint32_t states[8 * MAX_SHA256_LANES];
    const uint8_t *blocks[MAX_SHA256_LANES];
    struct beginning alike = {0};
    size_t taken = 0, finished = 0;
    memset(lanes, 0, sizeof lanes);
    for (; taken < engine->lanes; blocks[taken] = lanes[taken].made, taken++)
        begin_message(engine, prefix, &lanes[taken], states + 8 * taken, from, taken, &alike);
    while (finished < from->count) {
        int last[MAX_SHA256_LANES] = {0};
        for (size_t i = 0; i < engine->lanes; i++)
            if (lanes[i].message)
                last[i] = next_block(&lanes[i], prefix, &blocks[i]);
        sha256_own(engine, states, blocks);
        for (size_t i = 0; i < engine->lanes; i++) {
            if (!last[i])
                continue;
            for (int word = 0; word < 8; word++)
                store_big_endian_32(out + HASH * lanes[i].number + 4 * word, states[8 * i + word]);
            begin_message(engine, prefix, &lanes[i], states + 8 * i, from, taken++, &alike);
            finished++;
        }
    }
}

int ldcat_sha256_messages(int implementation, uint8_t prefix, const uint8_t *data, size_t data_size,
                          const uint32_t *starts, const uint32_t *sizes, size_t count, uint8_t *out) {
    const struct sha256_engine *engine = sha256_engines_of(implementation);
    if (!engine)
        return LDCAT_NO_IMPLEMENTATION;
    for (size_t i = 0; i < count; i++)
        if (starts[i] > data_size || sizes[i] > data_size - starts[i])
            return LDCAT_OUTSIDE;
    hash_all(engine, prefix, &(struct messages){data, starts, sizes, count}, out);
    return LDCAT_DONE;
}

int ldcat_merkle_roots(int implementation, uint8_t *hashes, size_t count, unsigned levels) {
    const struct sha256_engine *engine = sha256_engines_of(implementation);
    if (!engine)
        return LDCAT_NO_IMPLEMENTATION;
    for (; levels; levels--, count /= 2)
        hash_all(engine, NODE_PREFIX, &(struct messages){hashes, NULL, NULL, count / 2}, hashes);
    return LDCAT_DONE;
}
