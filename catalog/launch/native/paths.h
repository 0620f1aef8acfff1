/* The paths through the kernels, and whether this processor has them. */
#ifndef LDCAT_PATHS_H
#define LDCAT_PATHS_H

enum ldcat_path { LDCAT_PORTABLE, LDCAT_AVX2, LDCAT_AVX512, LDCAT_SHA_NI };

/* 1 where this processor and its operating system can run the path, else 0 */
int ldcat_has_path(int path);

#endif
