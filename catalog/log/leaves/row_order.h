/* What Python calls to sort rows by group and vCPU count; it touches no Python object. */
#ifndef LDCAT_ROW_ORDER_H
#define LDCAT_ROW_ORDER_H

#include <stddef.h>
#include <stdint.h>

enum ldcat_order { LDCAT_SORTED, LDCAT_NO_ROOM, LDCAT_NOT_ROWS };

/* Sort `count` rows by group, then vCPU count, without changing the order of those that are equal in both.
 *
 * digests: count times 48 bytes; vcpus: -1 to 65535; numbers: of the groups, below `groups`; sizes: bytes of a digest
 * of each group, up to 48. starts: the first row of each group among the sorted ones, and `count` at the end;
 * sorted_vcpus: as vcpus; sorted_digests: as many bytes of each digest as its group says, one after the other; room for
 * as many as there are. LDCAT_NOT_ROWS, and nothing is sorted, for other numbers; LDCAT_NO_ROOM for want of memory.
 */
int ldcat_sort_rows(size_t count, const uint8_t *digests, const int32_t *vcpus, const uint32_t *numbers, size_t groups,
                    const uint8_t *sizes, uint64_t *starts, int32_t *sorted_vcpus, uint8_t *sorted_digests);

#endif
