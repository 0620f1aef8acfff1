/* The paths through the kernels, and whether this processor has them. */
#ifndef LDCAT_PATHS_H
#define LDCAT_PATHS_H

enum ldcat_path { LDCAT_PORTABLE, LDCAT_AVX2, LDCAT_AVX512, LDCAT_SHA_NI };

/* 1 where this processor and its operating system can run the path, else 0 */
int ldcat_has_path(int path);

/* 1 for a processor that has 512-bit instructions and runs each as two of 256 bits, so that SHA extensions are faster */
int ldcat_halves_512_bits(void);

#endif
