/* SHA-256 over several lanes, side by side in vector registers: the latency of one chain is hidden by the others.
 *
 * Included once for each implementation, with these defined: WIDTH, lanes in one register; REGISTERS, how many are
 * interleaved; TARGET, the instructions it may use; NAME, what sets its functions apart.
 */

#define LANES (WIDTH * REGISTERS)
typedef uint32_t NAME(word) __attribute__((vector_size(4 * WIDTH)));

#define EACH_REGISTER _Pragma("GCC unroll 4") for (int r = 0; r < REGISTERS; r++)
#define ROTATE(x, n) ((x) >> (n) | (x) << (32 - (n)))
#define ROUND(a, b, c, d, e, f, g, h, kw_i)                                                                     \
    EACH_REGISTER {                                                                                             \
        NAME(word) *v = s[r];                                                                                   \
        NAME(word) t = v[h] + (kw_i) + (ROTATE(v[e], 6) ^ ROTATE(v[e], 11) ^ ROTATE(v[e], 25)) +                \
                       (v[g] ^ (v[e] & (v[f] ^ v[g])));                                                         \
        v[d] += t;                                                                                              \
        v[h] = t + (ROTATE(v[a], 2) ^ ROTATE(v[a], 13) ^ ROTATE(v[a], 22)) +                                    \
               ((v[a] & v[b]) | (v[c] & (v[a] | v[b])));                                                        \
    }
#define EIGHT_ROUNDS(KW)                                                                                        \
    do {                                                                                                        \
        ROUND(0, 1, 2, 3, 4, 5, 6, 7, KW(0))                                                                    \
        ROUND(7, 0, 1, 2, 3, 4, 5, 6, KW(1))                                                                    \
        ROUND(6, 7, 0, 1, 2, 3, 4, 5, KW(2))                                                                    \
        ROUND(5, 6, 7, 0, 1, 2, 3, 4, KW(3))                                                                    \
        ROUND(4, 5, 6, 7, 0, 1, 2, 3, KW(4))                                                                    \
        ROUND(3, 4, 5, 6, 7, 0, 1, 2, KW(5))                                                                    \
        ROUND(2, 3, 4, 5, 6, 7, 0, 1, KW(6))                                                                    \
        ROUND(1, 2, 3, 4, 5, 6, 7, 0, KW(7))                                                                    \
    } while (0)
#define SHARED_WORD(j) ((NAME(word)){0} + kw[i + (j)])
#define OWN_WORD(j) (w[r][i + (j)] + sha256_constants[i + (j)])

TARGET static void NAME(load)(NAME(word) s[REGISTERS][8], const uint32_t *states) {
    for (int lane = 0; lane < LANES; lane++)
        for (int i = 0; i < 8; i++)
            s[lane / WIDTH][i][lane % WIDTH] = states[8 * lane + i];
}

TARGET static void NAME(store)(uint32_t *states, NAME(word) s[REGISTERS][8]) {
    for (int lane = 0; lane < LANES; lane++)
        for (int i = 0; i < 8; i++)
            states[8 * lane + i] = s[lane / WIDTH][i][lane % WIDTH];
}

/* states: LANES times eight words; schedules: blocks times 64 words, the same for every lane */
TARGET static void NAME(same)(uint32_t *states, const uint32_t *schedules, size_t blocks) {
    NAME(word) s[REGISTERS][8], before[REGISTERS][8];
    NAME(load)(s, states);
    for (const uint32_t *kw = schedules; kw < schedules + 64 * blocks; kw += 64) {
        EACH_REGISTER for (int i = 0; i < 8; i++) before[r][i] = s[r][i];
        for (int i = 0; i < 64; i += 8)
            EIGHT_ROUNDS(SHARED_WORD);
        EACH_REGISTER for (int i = 0; i < 8; i++) s[r][i] += before[r][i];
    }
    NAME(store)(states, s);
}

/* blocks: LANES times 64 bytes, one block for each lane */
TARGET static void NAME(own)(uint32_t *states, const uint8_t *blocks) {
    NAME(word) s[REGISTERS][8], before[REGISTERS][8], w[REGISTERS][64];
    NAME(load)(s, states);
    for (int lane = 0; lane < LANES; lane++)
        for (int i = 0; i < 16; i++)
            w[lane / WIDTH][i][lane % WIDTH] = load_big_endian_32(blocks + 64 * lane + 4 * i);
    EACH_REGISTER for (int i = 16; i < 64; i++) {
        NAME(word) x = w[r][i - 15], y = w[r][i - 2];
        w[r][i] = w[r][i - 16] + (ROTATE(x, 7) ^ ROTATE(x, 18) ^ x >> 3) + w[r][i - 7] +
                  (ROTATE(y, 17) ^ ROTATE(y, 19) ^ y >> 10);
    }
    EACH_REGISTER for (int i = 0; i < 8; i++) before[r][i] = s[r][i];
    for (int i = 0; i < 64; i += 8)
        EIGHT_ROUNDS(OWN_WORD);
    EACH_REGISTER for (int i = 0; i < 8; i++) s[r][i] += before[r][i];
    NAME(store)(states, s);
}

#undef LANES
#undef EACH_REGISTER
#undef ROTATE
#undef ROUND
#undef EIGHT_ROUNDS
#undef SHARED_WORD
#undef OWN_WORD
#undef WIDTH
#undef REGISTERS
#undef TARGET
#undef NAME
