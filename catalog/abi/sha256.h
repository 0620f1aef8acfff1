/* SHA-256 in two halves, message schedule and rounds, because many chains share one schedule. FIPS 180-4, 6.2.2. */
#ifndef LDCAT_SHA256_H
#define LDCAT_SHA256_H

#include <stddef.h>
#include <stdint.h>

static const uint32_t sha256_constants[64] __attribute__((aligned(16))) = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};

static inline uint32_t load_big_endian_32(const uint8_t *bytes) {
    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

static inline void store_big_endian_32(uint8_t *bytes, uint32_t word) {
    for (int i = 0; i < 4; i++)
        bytes[i] = (uint8_t)(word >> (24 - 8 * i));
}

static inline uint32_t rotate_right_32(uint32_t word, int count) {
    return word >> count | word << (32 - count);
}

/* kw: the message schedule of one block, the round constants added */
static inline void sha256_schedule(uint32_t kw[64], const uint8_t block[64]) {
    for (int i = 0; i < 16; i++)
        kw[i] = load_big_endian_32(block + 4 * i);
    for (int i = 16; i < 64; i++) {
        uint32_t x = kw[i - 15], y = kw[i - 2];
        kw[i] = kw[i - 16] + (rotate_right_32(x, 7) ^ rotate_right_32(x, 18) ^ x >> 3) + kw[i - 7] +
                (rotate_right_32(y, 17) ^ rotate_right_32(y, 19) ^ y >> 10);
    }
    for (int i = 0; i < 64; i++)
        kw[i] += sha256_constants[i];
}

static inline void sha256_rounds(uint32_t state[8], const uint32_t kw[64]) {
    uint32_t a = state[0], b = state[1], c = state[2], d = state[3];
    uint32_t e = state[4], f = state[5], g = state[6], h = state[7];
    for (int i = 0; i < 64; i++) {
        uint32_t t1 = h + (rotate_right_32(e, 6) ^ rotate_right_32(e, 11) ^ rotate_right_32(e, 25)) +
                      (g ^ (e & (f ^ g))) + kw[i];
        uint32_t t2 = (rotate_right_32(a, 2) ^ rotate_right_32(a, 13) ^ rotate_right_32(a, 22)) +
                      ((a & b) | (c & (a | b)));
        h = g, g = f, f = e, e = d + t1, d = c, c = b, b = a, a = t1 + t2;
    }
    state[0] += a, state[1] += b, state[2] += c, state[3] += d;
    state[4] += e, state[5] += f, state[6] += g, state[7] += h;
}

#endif
