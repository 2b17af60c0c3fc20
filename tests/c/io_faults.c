/* A library for LD_PRELOAD that makes one call of a program to the file system fail: what a worn disk, a full one or
 * a network file system may do at any moment. For tests only.
 *
 * IO_FAULT_BELOW   only calls on files below this directory count
 * IO_FAULT_AT      the number of the call that fails, from 1; 0 counts only
 * IO_FAULT_ERRNO   what it fails with: 5 is EIO, 28 is ENOSPC; 0 kills the program at this call
 * IO_FAULT_STAYS   if set, only calls that take space fail, and each of them from that number on
 * IO_FAULT_COUNT   a file that gets the number of calls that counted, at the end
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

static atomic_long calls;

static long setting(const char *name)
{
    const char *value = getenv(name);
    return value ? strtol(value, NULL, 0) : -1;
}

static int is_below(const char *path)
{
    const char *below = getenv("IO_FAULT_BELOW");
    if (!below || !path)
        return 0;
    char full[PATH_MAX * 2];
    if (path[0] != '/') {
        if (!getcwd(full, PATH_MAX))
            return 0;
        strcat(full, "/");
        strncat(full, path, PATH_MAX - 2);
        path = full;
    }
    return strncmp(path, below, strlen(below)) == 0;
}

static int fd_is_below(int fd)
{
    char link[64], path[PATH_MAX];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0)
        return 0;
    path[length] = 0;
    return path[0] == '/' && is_below(path); /* a pipe has no path */
}

/* Whether this call, which counts, is to fail. */
static int fails(int takes_space)
{
    long number = atomic_fetch_add(&calls, 1) + 1, at = setting("IO_FAULT_AT");
    int now = setting("IO_FAULT_STAYS") >= 0 ? at > 0 && number >= at && takes_space : number == at;
    if (now && setting("IO_FAULT_ERRNO") == 0)
        kill(getpid(), SIGKILL);
    if (now)
        errno = (int)setting("IO_FAULT_ERRNO");
    return now;
}

__attribute__((destructor)) static void tell(void)
{
    const char *path = getenv("IO_FAULT_COUNT");
    FILE *file = path ? fopen(path, "w") : NULL;
    if (file) {
        fprintf(file, "%ld\n", atomic_load(&calls));
        fclose(file);
    }
}

#define REAL(type, name, ...) type (*real)(__VA_ARGS__) = (type (*)(__VA_ARGS__))dlsym(RTLD_NEXT, name)

#define ON_FD(type, name, space, parameters, ...)                     \
    type name parameters                                              \
    {                                                                 \
        type (*real) parameters = (type (*) parameters)dlsym(RTLD_NEXT, #name); \
        if (fd_is_below(fd) && fails(space))                          \
            return (type)-1;                                          \
        return real(__VA_ARGS__);                                     \
    }

ON_FD(ssize_t, write, 1, (int fd, const void *data, size_t size), fd, data, size)
ON_FD(ssize_t, writev, 1, (int fd, const struct iovec *data, int count), fd, data, count)
ON_FD(ssize_t, pwrite, 1, (int fd, const void *data, size_t size, off_t at), fd, data, size, at)
ON_FD(ssize_t, pwrite64, 1, (int fd, const void *data, size_t size, off64_t at), fd, data, size, at)
ON_FD(int, fsync, 0, (int fd), fd)
ON_FD(int, fdatasync, 0, (int fd), fd)
ON_FD(int, syncfs, 0, (int fd), fd)
ON_FD(int, ftruncate, 0, (int fd, off_t size), fd, size)
ON_FD(int, ftruncate64, 0, (int fd, off64_t size), fd, size)
ON_FD(int, posix_fallocate64, 1, (int fd, off64_t at, off64_t size), fd, at, size)

#define ON_PATH(name, space, parameters, ...)                         \
    int name parameters                                               \
    {                                                                 \
        int (*real) parameters = (int (*) parameters)dlsym(RTLD_NEXT, #name); \
        if (is_below(path) && fails(space))                           \
            return -1;                                                \
        return real(__VA_ARGS__);                                     \
    }

ON_PATH(mkdir, 1, (const char *path, mode_t mode), path, mode)
ON_PATH(rename, 0, (const char *path, const char *to), path, to)
ON_PATH(link, 1, (const char *path, const char *to), path, to)
ON_PATH(unlink, 0, (const char *path), path)
ON_PATH(rmdir, 0, (const char *path), path)

/* Opening counts where it makes a file. */
#define OPEN(name)                                                    \
    int name(const char *path, int flags, ...)                        \
    {                                                                 \
        REAL(int, #name, const char *, int, ...);                     \
        mode_t mode = 0;                                              \
        if (flags & (O_CREAT | O_TMPFILE)) {                          \
            va_list more;                                             \
            va_start(more, flags);                                    \
            mode = va_arg(more, mode_t);                              \
            va_end(more);                                             \
        }                                                             \
        if ((flags & O_CREAT) && is_below(path) && fails(1))          \
            return -1;                                                \
        return real(path, flags, mode);                               \
    }

OPEN(open)
OPEN(open64)
