/* What Python calls to write many new files; it touches no Python object. */
#ifndef LDCAT_NEW_FILES_H
#define LDCAT_NEW_FILES_H

#include <stddef.h>
#include <stdint.h>

/* folder: descriptor. partial: the name under which the file is written; name: the one that it gets.
 * stays_open: whether it does; its descriptor is then stored in `descriptor`. is_synced: whether it is, if it does not.
 */
struct ldcat_new_file {
    int folder;
    const char *partial, *name;
    const uint8_t *data;
    size_t size;
    int stays_open, is_synced, descriptor;
};

/* Both return how many files were dealt with: all, or those before one that failed, whose errno is stored in `error`. */
size_t ldcat_write_files(struct ldcat_new_file *files, size_t count, int *error);
size_t ldcat_name_files(const struct ldcat_new_file *files, size_t count, int *error);

#endif
