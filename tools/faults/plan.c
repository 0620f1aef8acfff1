/* Faults at one call: counts the calls that write below a folder, and makes one of them fail, or be the last.
 *
 * For LD_PRELOAD. What it does is in the environment, which is read at the start and whenever faults_arm() is called:
 *   FAULTS_BELOW   folder, without symbolic links; calls for what is elsewhere are none of ours
 *   FAULTS_REPORT  file, to which each call is appended: NUMBER NAME PATH
 *   FAULTS_AT      number of the call at which the fault is; from 1 on, 0 for none
 *   FAULTS_KIND    a number: it fails with that errno; short: it writes less than it was asked to; before, after: the
 *                  process is killed then; power: it is killed before, and what was not synced is cut in half
 *   FAULTS_STAYS   1: each call after it fails, too; if there is no room, but for those that need none
 */
#include "faults.h"

#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum kind { ERRNO, WRITES_LESS, BEFORE, AFTER, POWER };

enum { MAX_FILES = 4096 };

static char below[PATH_MAX];
static size_t below_length;
static long at;
static enum kind kind;
static int error, stays, report = -1;
static atomic_long calls;
static atomic_char written[65536]; /* by descriptor: closing it can say that what was written is lost */

static struct {
    dev_t device;
    ino_t inode;
    int descriptor, is_marked;
} unsynced[MAX_FILES];
static int unsynced_count;
static pthread_mutex_t unsynced_lock = PTHREAD_MUTEX_INITIALIZER;

static const char *setting(const char *name)
{
    const char *value = getenv(name);
    return value ? value : "";
}

__attribute__((constructor)) void faults_arm(void)
{
    const char *said = setting("FAULTS_KIND"), *file = setting("FAULTS_REPORT");
    snprintf(below, sizeof below, "%s", setting("FAULTS_BELOW"));
    below_length = strlen(below);
    at = atol(setting("FAULTS_AT"));
    stays = *setting("FAULTS_STAYS") == '1';
    error = atoi(said);
    kind = error                     ? ERRNO
           : !strcmp(said, "short")  ? WRITES_LESS
           : !strcmp(said, "after")  ? AFTER
           : !strcmp(said, "power")  ? POWER
                                     : BEFORE;
    calls = 0;
    if (report >= 0)
        NEXT(close)(report);
    report = *file ? NEXT(open)(file, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600) : -1;
}

static int is_below(const char *path)
{
    return below_length && !strncmp(path, below, below_length) && path[below_length] == '/';
}

static int path_of(const char *link, char *path)
{
    ssize_t length = readlink(link, path, PATH_MAX - 1);
    path[length < 0 ? 0 : length] = 0;
    return length >= 0;
}

static int path_of_descriptor(int descriptor, char *path)
{
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
    return path_of(link, path);
}

static void whole_path(int folder, const char *name, char *path)
{
    char above[PATH_MAX];
    if (*name == '/') {
        snprintf(path, PATH_MAX, "%s", name);
        return;
    }
    if (!(folder == AT_FDCWD ? path_of("/proc/self/cwd", above) : path_of_descriptor(folder, above)))
        *above = 0;
    if (snprintf(path, PATH_MAX, "%s/%s", above, name) >= PATH_MAX)
        *path = 0;
}

static void cut_unsynced(void)
{
    struct stat found;
    for (int number = 0; number < unsynced_count; number++)
        if (!fstat(unsynced[number].descriptor, &found))
            (void)!NEXT(ftruncate)(unsynced[number].descriptor, found.st_size / 2);
}

static void die(void)
{
    kill(getpid(), SIGKILL);
    for (;;)
        pause();
}

/* A full disk gives back what is removed, and a file is closed all the same. */
static int needs_room(const char *call)
{
    return !strstr(call, "unlink") && !strstr(call, "rmdir") && !strstr(call, "chmod") && strcmp(call, "close");
}

static enum action decide(const char *call, const char *path)
{
    if (!is_below(path))
        return PASS;
    long number = atomic_fetch_add(&calls, 1) + 1;
    if (report >= 0) {
        char line[PATH_MAX + 64];
        int length = snprintf(line, sizeof line, "%ld %s %s\n", number, call, path + below_length + 1);
        (void)!NEXT(write)(report, line, (size_t)length);
    }
    if (!at || number < at || (number > at && !stays))
        return PASS;
    switch (kind) {
    case ERRNO:
        if (number > at && (error == ENOSPC || error == EDQUOT) && !needs_room(call))
            return PASS;
        errno = error;
        return FAIL;
    case WRITES_LESS:
        return SHORT;
    case AFTER:
        return DIE_AFTER;
    case POWER:
        pthread_mutex_lock(&unsynced_lock);
        cut_unsynced();
        /* fall through */
    default:
        die();
    }
    return PASS;
}

enum action at_path(const char *call, int folder, const char *name)
{
    char path[PATH_MAX];
    if (!below_length)
        return PASS;
    whole_path(folder, name, path);
    return decide(call, path);
}

enum action at_descriptor(const char *call, int descriptor)
{
    char path[PATH_MAX];
    if (!below_length || !path_of_descriptor(descriptor, path))
        return PASS;
    return decide(call, path);
}

void done(enum action action)
{
    if (action == DIE_AFTER)
        die();
}

static int find_unsynced(const struct stat *file)
{
    for (int number = 0; number < unsynced_count; number++)
        if (unsynced[number].device == file->st_dev && unsynced[number].inode == file->st_ino)
            return number;
    return -1;
}

void wrote(int descriptor)
{
    char link[64], path[PATH_MAX];
    struct stat file;
    if (!below_length || !path_of_descriptor(descriptor, path) || !is_below(path))
        return;
    if (descriptor < (int)(sizeof written))
        written[descriptor] = 1;
    if (kind != POWER || !at || fstat(descriptor, &file) || !S_ISREG(file.st_mode))
        return;
    snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
    pthread_mutex_lock(&unsynced_lock);
    if (find_unsynced(&file) < 0) {
        if (unsynced_count == MAX_FILES)
            abort(); /* the fault would cut fewer files than a power failure */
        int own = NEXT(open)(link, O_WRONLY | O_CLOEXEC);
        if (own >= 0) {
            unsynced[unsynced_count].device = file.st_dev;
            unsynced[unsynced_count].inode = file.st_ino;
            unsynced[unsynced_count].is_marked = 0;
            unsynced[unsynced_count++].descriptor = own;
        }
    }
    pthread_mutex_unlock(&unsynced_lock);
}

void synced(int descriptor)
{
    struct stat file;
    int number;
    if (kind != POWER || !at || fstat(descriptor, &file))
        return;
    pthread_mutex_lock(&unsynced_lock);
    if ((number = find_unsynced(&file)) >= 0) {
        NEXT(close)(unsynced[number].descriptor);
        unsynced[number] = unsynced[--unsynced_count];
    }
    pthread_mutex_unlock(&unsynced_lock);
}

/* Those that are there before the call are written by it. */
void syncing(int descriptor)
{
    struct stat folder;
    if (kind != POWER || !at || fstat(descriptor, &folder))
        return;
    pthread_mutex_lock(&unsynced_lock);
    for (int number = 0; number < unsynced_count; number++)
        unsynced[number].is_marked = unsynced[number].device == folder.st_dev;
    pthread_mutex_unlock(&unsynced_lock);
}

void all_synced(void)
{
    pthread_mutex_lock(&unsynced_lock);
    for (int number = unsynced_count - 1; number >= 0; number--)
        if (unsynced[number].is_marked) {
            NEXT(close)(unsynced[number].descriptor);
            unsynced[number] = unsynced[--unsynced_count];
        }
    pthread_mutex_unlock(&unsynced_lock);
}

int was_written(int descriptor)
{
    return descriptor >= 0 && descriptor < (int)(sizeof written) && atomic_exchange(&written[descriptor], 0);
}
