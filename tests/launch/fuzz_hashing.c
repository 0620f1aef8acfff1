/* Every compiled implementation on random lane counts, lengths and counts, in buffers of exactly the stated size.
 *
 * Built with the address and undefined-behaviour sanitizers by `make sanitize`. Each result is compared with
 * the portable implementation on single chains, which tests/launch/test_hash_backends.py compares with hashlib.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hashing.h"
#include "implementations.h"

enum { ROUNDS = 200, MAX_CHAINS = 100, MAX_COUNTS = 4, MAX_PAGES = 5 };

static uint64_t seed = 1;

static uint64_t next(uint64_t limit) { /* xorshift64 */
    seed ^= seed << 13, seed ^= seed >> 7, seed ^= seed << 17;
    return seed % limit;
}

/* Exactly `size` random bytes of their own, so that one byte too many is seen. */
static uint8_t *bytes(size_t size) {
    uint8_t *made = malloc(size ? size : 1);
    for (size_t i = 0; i < size; i++)
        made[i] = (uint8_t)next(256);
    return made;
}

static void check(int fits, const char *what, int implementation) {
    if (!fits) {
        fprintf(stderr, "%s: implementation %d differs from the portable one\n", what, implementation);
        exit(1);
    }
}

static size_t ascending(uint32_t *counts) {
    size_t count = 1 + next(MAX_COUNTS);
    for (size_t i = 0; i < count; i++)
        counts[i] = (uint32_t)((i ? counts[i - 1] : 0) + 1 + next(3));
    return count;
}

/* Some carried bytes are often as many as those of the other chains, and pages the same, or zeros for the most part. */
static void sha256_chains(int implementation) {
    uint32_t counts[MAX_COUNTS];
    size_t chains = next(MAX_CHAINS), count = ascending(counts), carried_size = next(64);
    uint8_t *midstates = bytes(32 * chains), *carried = bytes(64 * chains), *pages = bytes(4096 * MAX_PAGES);
    uint64_t *lengths = (uint64_t *)bytes(8 * chains);
    uint32_t *bsp = (uint32_t *)bytes(4 * chains), *ap = (uint32_t *)bytes(4 * chains);
    uint8_t *out = bytes(32 * chains * count), *alone = bytes(32 * count);
    for (size_t i = 0; i < chains; i++) {
        lengths[i] = lengths[i] / 64 * 64 + (next(2) ? carried_size : next(64));
        bsp[i] = next(MAX_PAGES), ap[i] = next(MAX_PAGES);
    }
    for (size_t page = 0; page < MAX_PAGES; page++)
        if (next(2))
            memset(pages + 4096 * page + next(1100), 0, 4096 - 1100);
    size_t lanes = ldcat_sha256_lanes(implementation, next(4));
    if (ldcat_sha256_chains(implementation, lanes, chains, midstates, carried, lengths, pages, bsp, ap, counts, count,
                            out) == LDCAT_DONE)
        for (size_t i = 0; i < chains; i++) {
            ldcat_sha256_chains(LDCAT_PORTABLE, 4, 1, midstates + 32 * i, carried + 64 * i, lengths + i, pages, bsp + i,
                                ap + i, counts, count, alone);
            check(!memcmp(out + 32 * count * i, alone, 32 * count), "SHA-256 chains", implementation);
        }
    if (lanes)
        check(ldcat_sha256_nanoseconds(implementation, lanes) > 0, "time of SHA-256 chains", implementation);
    free(midstates), free(carried), free(lengths), free(pages), free(bsp), free(ap), free(out), free(alone);
}

static void sha256_pages(int implementation) {
    size_t count = next(MAX_CHAINS);
    uint8_t *pages = bytes(4096 * count), *out = bytes(32 * count), *alone = bytes(32);
    if (ldcat_sha256_pages(implementation, pages, count, out) == LDCAT_DONE)
        for (size_t i = 0; i < count; i++) {
            ldcat_sha256_pages(LDCAT_PORTABLE, pages + 4096 * i, 1, alone);
            check(!memcmp(out + 32 * i, alone, 32), "SHA-256 of pages", implementation);
        }
    free(pages), free(out), free(alone);
}

static void sha256_messages(int implementation) {
    size_t count = next(MAX_CHAINS), size = next(4000);
    uint8_t *data = bytes(size), *starts = bytes(4 * count), *sizes = bytes(4 * count), prefix = (uint8_t)next(256);
    uint8_t *out = bytes(32 * count), *alone = bytes(32);
    uint32_t usual = (uint32_t)next(size + 1);
    for (size_t i = 0; i < count; i++) {
        uint32_t start = next(2) ? usual : (uint32_t)next(size + 1), length = (uint32_t)next(size + 1 - start);
        memcpy(starts + 4 * i, &start, 4), memcpy(sizes + 4 * i, &length, 4);
    }
    if (ldcat_sha256_messages(implementation, prefix, data, size, (uint32_t *)starts, (uint32_t *)sizes, count, out) ==
        LDCAT_DONE)
        for (size_t i = 0; i < count; i++) {
            ldcat_sha256_messages(LDCAT_PORTABLE, prefix, data, size, (uint32_t *)starts + i, (uint32_t *)sizes + i, 1,
                                  alone);
            check(!memcmp(out + 32 * i, alone, 32), "SHA-256 of messages", implementation);
        }
    free(data), free(starts), free(sizes), free(out), free(alone);
}

static void merkle_roots(int implementation) {
    unsigned levels = (unsigned)next(9);
    size_t roots = next(4), count = roots << levels;
    uint8_t *hashes = bytes(32 * count), *portable = bytes(32 * count);
    memcpy(portable, hashes, 32 * count);
    if (ldcat_merkle_roots(implementation, hashes, count, levels) == LDCAT_DONE) {
        for (size_t i = 0; i < roots; i++) {
            ldcat_merkle_roots(LDCAT_PORTABLE, portable + 32 * (i << levels), (size_t)1 << levels, levels);
            check(!memcmp(hashes + 32 * i, portable + 32 * (i << levels), 32), "Merkle roots", implementation);
        }
    }
    free(hashes), free(portable);
}

static void sha384_chains(int implementation) {
    uint32_t counts[MAX_COUNTS];
    size_t chains = next(MAX_CHAINS), count = ascending(counts);
    uint8_t *digests = bytes(48 * chains), *bsp = bytes(64 * chains), *ap = bytes(64 * chains);
    uint8_t *out = bytes(48 * chains * count), *alone = bytes(48 * count);
    if (ldcat_sha384_chains(implementation, chains, digests, bsp, ap, counts, count, out) == LDCAT_DONE)
        for (size_t i = 0; i < chains; i++) {
            ldcat_sha384_chains(LDCAT_PORTABLE, 1, digests + 48 * i, bsp + 64 * i, ap + 64 * i, counts, count, alone);
            check(!memcmp(out + 48 * count * i, alone, 48 * count), "SHA-384 chains", implementation);
        }
    free(digests), free(bsp), free(ap), free(out), free(alone);
}

static void sha384_pages(int implementation) {
    size_t chains = next(20), entries = 1 + next(5);
    struct ldcat_pages pages[20];
    uint8_t *contents = bytes(48 * entries), *digests = bytes(48 * chains), *alone = bytes(48 * chains);
    memcpy(alone, digests, 48 * chains);
    for (size_t i = 0; i < chains; i++) {
        size_t count = next(4);
        uint32_t *numbers = (uint32_t *)bytes(4 * count);
        for (size_t page = 0; page < count; page++)
            numbers[page] %= entries;
        pages[i] = (struct ldcat_pages){bytes(count), (uint64_t *)bytes(8 * count), numbers, count};
    }
    if (ldcat_sha384_pages(implementation, chains, pages, contents, digests) == LDCAT_DONE)
        for (size_t i = 0; i < chains; i++)
            ldcat_sha384_pages(LDCAT_PORTABLE, 1, pages + i, contents, alone + 48 * i);
    else
        memcpy(digests, alone, 48 * chains);
    check(!memcmp(digests, alone, 48 * chains), "SHA-384 of pages", implementation);
    for (size_t i = 0; i < chains; i++)
        free((void *)pages[i].kinds), free((void *)pages[i].gpas), free((void *)pages[i].contents);
    free(contents), free(digests), free(alone);
}

static void scan(int implementation) {
    size_t count = next(MAX_CHAINS), room = next(3), found = 0, found_portable = 0;
    uint8_t *inner = bytes(32), *outer = bytes(32), *before = bytes(8), *after = bytes(16), *measure = bytes(32);
    uint8_t *candidates = bytes(32 * count), *out = bytes(8 * room), *portable = bytes(8 * room);
    memset(out, 0, 8 * room), memset(portable, 0, 8 * room);
    int done = ldcat_scan_launch_measure(implementation, inner, outer, before, after, measure, candidates, count,
                                         (uint64_t *)out, room, &found);
    ldcat_scan_launch_measure(LDCAT_PORTABLE, inner, outer, before, after, measure, candidates, count,
                              (uint64_t *)portable, room, &found_portable);
    if (done == LDCAT_DONE)
        check(found == found_portable && !memcmp(out, portable, 8 * room), "LAUNCH_MEASURE scan", implementation);
    free(inner), free(outer), free(before), free(after), free(measure), free(candidates), free(out), free(portable);
}

int main(void) {
    for (int round = 0; round < ROUNDS; round++)
        for (int implementation = LDCAT_PORTABLE; implementation <= LDCAT_SHA_NI; implementation++)
            sha256_chains(implementation), sha256_pages(implementation), sha256_messages(implementation),
                merkle_roots(implementation), sha384_chains(implementation), sha384_pages(implementation),
                scan(implementation);
    puts("hashing: no sanitizer complained, and all implementations agree");
    return 0;
}
