// Loops that a benchmark needs to be sure of.

#ifndef CBENCH_H
#define CBENCH_H

#include <stddef.h>
#include <stdint.h>

/// Reads `bytes` bytes, a multiple of 512, from `from`, which is aligned to 64, and does nothing else: the fastest
/// that one thread's loads come from memory. The result depends on every byte, so that no load is left out.
uint64_t cbench_read(const void *from, size_t bytes);

/// `bytes` bytes of zeros, written once, aligned to 2 MiB and in huge pages where the system gives them; NULL
/// where there is no memory.
void *cbench_allocate(size_t bytes);

/// A descriptor that reads `path` past the page cache, closed in programs that this one starts; -1 with errno.
int cbench_open_direct(const char *path);

#endif
