/* How fast each engine is on this processor: no digest depends on it, only which engine makes it. */
#define _POSIX_C_SOURCE 200809L
#include "hashing.h"

#include <time.h>

#include "sha256_engine.h"

#define PAGE 4096
#define VCPUS 8

static int64_t nanoseconds(void) {
    struct timespec now = {0, 0};
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

uint64_t ldcat_sha256_nanoseconds(int implementation, size_t lanes) {
    static const uint8_t midstates[32 * MAX_SHA256_LANES], carried[64 * MAX_SHA256_LANES], pages[PAGE];
    static const uint64_t lengths[MAX_SHA256_LANES];
    static const uint32_t numbers[MAX_SHA256_LANES], counts[] = {VCPUS};
    uint8_t out[32 * MAX_SHA256_LANES];
    int64_t started = nanoseconds();
    ldcat_sha256_chains(implementation, lanes, lanes, midstates, carried, lengths, pages, numbers, numbers, counts, 1,
                        out);
    int64_t taken = nanoseconds() - started;
    return taken > 0 ? (uint64_t)taken : 1;
}
