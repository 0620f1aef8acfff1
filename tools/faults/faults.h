/* What calls.c asks of plan.c: whether a call is the one that a fault is at. */
#ifndef LDCAT_FAULTS_H
#define LDCAT_FAULTS_H

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

/* The function of that name that comes after ours. */
#define NEXT(name) \
    ({ \
        static __typeof__(&name) next; \
        if (!next) \
            next = (__typeof__(&name))dlsym(RTLD_NEXT, #name); \
        next; \
    })

enum action { PASS, FAIL, SHORT, DIE_AFTER };

#pragma GCC visibility push(hidden)

/* Before a call; FAIL: errno says with what. */
enum action at_path(const char *call, int folder, const char *name);
enum action at_descriptor(const char *call, int descriptor);

/* After it. */
void done(enum action action);

void wrote(int descriptor);
void synced(int descriptor);

/* Before and after all files of a file system are synced. */
void syncing(int descriptor);
void all_synced(void);

/* Whether it was, since it was opened or this was asked last. */
int was_written(int descriptor);

#pragma GCC visibility pop

#endif
