/* Sets of slots, one for each group: pages of 1,024 slots, a bit each; those of a group are a list. */
#include "leaf_write.h"

#include <stdlib.h>
#include <string.h>

#define PAGE_BITS 10
#define WORDS (1 << (PAGE_BITS - 6))
#define NO_PAGE UINT32_MAX

struct slot_page {
    uint32_t number, next;
    uint64_t bits[WORDS];
};

struct ldcat_slots {
    uint32_t *first;
    size_t groups;
    struct slot_page *pages;
    size_t count, room;
};

struct ldcat_slots *ldcat_slots_new(void) {
    return calloc(1, sizeof(struct ldcat_slots));
}

void ldcat_slots_free(struct ldcat_slots *slots) {
    if (!slots)
        return;
    free(slots->first), free(slots->pages);
    free(slots);
}

/* Make room for a group of this number; returns 0 for want of memory. */
static int has_group(struct ldcat_slots *slots, uint32_t group) {
    if (group < slots->groups)
        return 1;
    size_t groups = ((size_t)group + 1) + ((size_t)group + 1) / 2;
    uint32_t *first = realloc(slots->first, sizeof *first * groups);
    if (!first)
        return 0;
    memset(first + slots->groups, 0xff, sizeof *first * (groups - slots->groups)); /* NO_PAGE */
    slots->first = first, slots->groups = groups;
    return 1;
}

/* The page of a slot; it is made if there is none. NULL for want of memory. */
static struct slot_page *page_of(struct ldcat_slots *slots, uint32_t group, uint32_t number) {
    if (!has_group(slots, group))
        return NULL;
    for (uint32_t at = slots->first[group]; at != NO_PAGE; at = slots->pages[at].next)
        if (slots->pages[at].number == number)
            return &slots->pages[at];
    if (slots->count == slots->room) {
        size_t room = slots->room + slots->room / 4 + 64;
        struct slot_page *pages = room < NO_PAGE ? realloc(slots->pages, sizeof *pages * room) : NULL;
        if (!pages)
            return NULL;
        slots->pages = pages, slots->room = room;
    }
    struct slot_page *made = &slots->pages[slots->count];
    *made = (struct slot_page){number, slots->first[group], {0}};
    slots->first[group] = (uint32_t)slots->count++;
    return made;
}

size_t ldcat_slots_add(struct ldcat_slots *slots, const uint8_t *rows, size_t count, const uint8_t *dead, size_t groups,
                       const uint32_t *odd, size_t odd_count, uint32_t *out) {
    size_t found = 0, next_odd = 0;
    for (size_t row = 0; row < count; row++, rows += LDCAT_ROW) {
        uint32_t group = ldcat_group_of(rows), slot = ldcat_bits_of(rows) & LDCAT_SLOT;
        if (next_odd < odd_count && odd[next_odd] == row) {
            next_odd++;
            continue;
        }
        if (group < groups && dead[group])
            continue;
        struct slot_page *page = slot > LDCAT_MOST_SLOT ? NULL : page_of(slots, group, slot >> PAGE_BITS);
        if (!page)
            return LDCAT_FAILED;
        uint64_t *word = &page->bits[slot >> 6 & (WORDS - 1)], bit = (uint64_t)1 << (slot & 63);
        if (*word & bit)
            out[found++] = (uint32_t)row;
        *word |= bit;
    }
    return found;
}
