/* LAUNCH_MEASURE scan: HMAC-SHA256 of every candidate digest under one key, compared with the one at hand.
 *
 * A candidate costs three compressions: the 56 bytes of the message after the key's block, the block of its length,
 * which never changes, and the inner hash after the outer key's block. Source: AMD SEV API (55766), 6.5.1.
 */
#include "hashing.h"

#include <string.h>

#include "../../abi/sha256.h"
#include "sha256_engine.h"

#define BLOCK 64
#define MESSAGE 56

int ldcat_scan_launch_measure(int implementation, const uint8_t *inner, const uint8_t *outer, const uint8_t *before,
                              const uint8_t *after, const uint8_t *measure, const uint8_t *candidates, size_t count,
                              uint64_t *out, size_t room, size_t *found) {
    const struct sha256_engine *engine = sha256_engines_of(implementation);
    uint32_t inner_words[8], outer_words[8], wanted[8], states[8 * MAX_SHA256_LANES], length_kw[64];
    uint8_t messages[MAX_SHA256_LANES * BLOCK], hashes[MAX_SHA256_LANES * BLOCK], length_block[BLOCK];
    const uint8_t *each_message[MAX_SHA256_LANES], *each_hash[MAX_SHA256_LANES];
    if (!engine)
        return LDCAT_NO_IMPLEMENTATION;
    for (int i = 0; i < 8; i++) {
        inner_words[i] = load_big_endian_32(inner + 4 * i);
        outer_words[i] = load_big_endian_32(outer + 4 * i);
        wanted[i] = load_big_endian_32(measure + 4 * i);
    }
    memset(messages, 0, sizeof messages);
    memset(hashes, 0, sizeof hashes);
    memset(length_block, 0, sizeof length_block);
    store_big_endian_32(length_block + 60, 8 * (BLOCK + MESSAGE));
    sha256_schedule(length_kw, length_block);
    for (size_t lane = 0; lane < engine->lanes; lane++) {
        memcpy(messages + BLOCK * lane, before, 8);
        memcpy(messages + BLOCK * lane + 40, after, 16);
        messages[BLOCK * lane + MESSAGE] = 0x80;
        hashes[BLOCK * lane + 32] = 0x80;
        store_big_endian_32(hashes + BLOCK * lane + 60, 8 * (BLOCK + 32));
    }
    sha256_each(each_message, messages);
    sha256_each(each_hash, hashes);
    *found = 0;
    for (size_t done = 0; done < count; done += engine->lanes) {
        size_t left = count - done, filled = left < engine->lanes ? left : engine->lanes;
        for (size_t lane = 0; lane < engine->lanes; lane++) {
            memcpy(messages + BLOCK * lane + 8, candidates + 32 * (done + (lane < filled ? lane : 0)), 32);
            memcpy(states + 8 * lane, inner_words, 32);
        }
        sha256_own(engine, states, each_message);
        sha256_same(engine, states, length_kw);
        for (size_t lane = 0; lane < engine->lanes; lane++) {
            for (int i = 0; i < 8; i++)
                store_big_endian_32(hashes + BLOCK * lane + 4 * i, states[8 * lane + i]);
            memcpy(states + 8 * lane, outer_words, 32);
        }
        sha256_own(engine, states, each_hash);
        for (size_t lane = 0; lane < filled; lane++) {
            if (memcmp(states + 8 * lane, wanted, 32))
                continue;
            if (*found < room)
                out[*found] = done + lane;
            ++*found;
        }
    }
    return LDCAT_DONE;
}
