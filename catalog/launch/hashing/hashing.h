/* What Python calls: each function takes an implementation of implementations.h, and touches no Python object. */
#ifndef LDCAT_HASHING_H
#define LDCAT_HASHING_H

#include <stddef.h>
#include <stdint.h>

enum ldcat_result { LDCAT_DONE, LDCAT_NO_IMPLEMENTATION, LDCAT_NO_MEMORY, LDCAT_OUTSIDE };

/* How many SHA-256 chains an implementation hashes at once: the most for number 0, fewer for each after it; then 0. */
size_t ldcat_sha256_lanes(int implementation, size_t number);

/* SHA-256 after `counts[i]` vCPUs, for every chain and count: its page `bsp`, then its page `ap` again and again.
 *
 * lanes: one of ldcat_sha256_lanes. midstates: chains times 32 bytes, big-endian; lengths: bytes hashed so far;
 * carried: chains times 64 bytes, of which the first lengths % 64 are those after the last whole block.
 * pages: 4096 bytes each; bsp, ap: numbers of pages. counts: ascending, from 1 on.
 * out: chains times counts times 32 bytes.
 */
int ldcat_sha256_chains(int implementation, size_t lanes, size_t chains, const uint8_t *midstates,
                        const uint8_t *carried, const uint64_t *lengths, const uint8_t *pages, const uint32_t *bsp,
                        const uint32_t *ap, const uint32_t *counts, size_t count_of_counts, uint8_t *out);

/* Nanoseconds, 1 or more, that as many chains as there are lanes take for a few vCPUs, whatever their bytes are. */
uint64_t ldcat_sha256_nanoseconds(int implementation, size_t lanes);

/* SHA-256 of each of `count` pages of 4096 bytes. out: count times 32 bytes. */
int ldcat_sha256_pages(int implementation, const uint8_t *pages, size_t count, uint8_t *out);

/* SHA-256 of the byte `prefix` and a message, for `count` messages: sizes[i] bytes at data + starts[i].
 *
 * out: count times 32 bytes. LDCAT_OUTSIDE, and nothing is hashed, if a message is not within the data.
 */
int ldcat_sha256_messages(int implementation, uint8_t prefix, const uint8_t *data, size_t data_size,
                          const uint32_t *starts, const uint32_t *sizes, size_t count, uint8_t *out);

/* The roots of the Merkle trees over each 1 << levels of `count` hashes of 32 bytes. It overwrites the hashes: the first
 * ones are the roots. */
int ldcat_merkle_roots(int implementation, uint8_t *hashes, size_t count, unsigned levels);

/* SNP launch digests after `counts[i]` vCPUs, for every chain and count: PAGE_INFO with the tail `bsp`, then `ap`.
 *
 * digests: chains times 48 bytes, before the first vCPU; bsp, ap: chains times 64 bytes, PAGE_INFO after the digest.
 * counts: ascending, from 1 on. out: chains times counts times 48 bytes.
 */
int ldcat_sha384_chains(int implementation, size_t chains, const uint8_t *digests, const uint8_t *bsp,
                        const uint8_t *ap, const uint32_t *counts, size_t count_of_counts, uint8_t *out);

/* Pages of an SNP launch: type, guest-physical address, and number of the contents' digest of each. */
struct ldcat_pages {
    const uint8_t *kinds;
    const uint64_t *gpas;
    const uint32_t *contents;
    size_t count;
};

/* The SNP launch digest of each chain after pages of its own. digests: chains times 48 bytes, before and after.
 *
 * contents: 48 bytes each, zeros for pages whose contents are not measured; no number lies outside of it.
 */
int ldcat_sha384_pages(int implementation, size_t chains, const struct ldcat_pages *pages, const uint8_t *contents,
                       uint8_t *digests);

/* Numbers of the candidates whose launch measurement is `measure`, ascending; their count in *found.
 *
 * inner, outer: SHA-256 midstates after the key's two padded blocks, 32 bytes big-endian. before: the 8 bytes in
 * front of the digest, after: the 16 bytes behind it. candidates: count times 32 bytes. out has room for `room`
 * numbers; *found may be larger.
 */
int ldcat_scan_launch_measure(int implementation, const uint8_t *inner, const uint8_t *outer, const uint8_t *before,
                              const uint8_t *after, const uint8_t *measure, const uint8_t *candidates, size_t count,
                              uint64_t *out, size_t room, size_t *found);

#endif
