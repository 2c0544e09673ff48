// What Swift's Glibc module leaves out of Linux.

#ifndef CLINUX_SHIM_H
#define CLINUX_SHIM_H

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <stdint.h>
#include <unistd.h>

// Names the calling thread as tools show it; 15 bytes at most.
static inline void clinux_name_thread(const char *name) {
    prctl(PR_SET_NAME, name, 0, 0, 0);
}

// The flag of open(2) that reads past the page cache, whose usual name needs a feature macro before any header.
static inline int clinux_o_direct(void) { return __O_DIRECT; }

// Pages of a file's range that the page cache holds; -1 where the kernel has no cachestat(2), which came with 6.5.
static inline int64_t clinux_cached_pages(int descriptor, uint64_t offset, uint64_t length) {
    struct { uint64_t offset, length; } range = {offset, length};
    struct { uint64_t cached, dirty, writeback, evicted, recently_evicted; } pages;
    return syscall(451, descriptor, &range, &pages, 0) == 0 ? (int64_t)pages.cached : -1;
}

// Locks a whole file against other processes (flock(2), as huggingface_hub does); 0 or an errno.
static inline int clinux_lock_file(int descriptor, int waits) {
    return flock(descriptor, LOCK_EX | (waits ? 0 : LOCK_NB)) == 0 ? 0 : errno;
}

// Locks a part of a file against other descriptors for as long as this one is open, without waiting; 0 or an errno.
// The command's number is that of F_OFD_SETLK, whose name needs a feature macro before any header.
static inline int clinux_lock_range(int descriptor, uint64_t offset, uint64_t length) {
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = (off_t)offset, .l_len = (off_t)length};
    return fcntl(descriptor, 37, &lock) == 0 ? 0 : errno;
}

static inline void clinux_unlock_range(int descriptor, uint64_t offset, uint64_t length) {
    struct flock lock = {.l_type = F_UNLCK, .l_whence = SEEK_SET, .l_start = (off_t)offset, .l_len = (off_t)length};
    fcntl(descriptor, 37, &lock);
}

#endif
