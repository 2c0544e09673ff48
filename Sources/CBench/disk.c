// O_DIRECT, whose value depends on the processor and which Swift does not see.

#define _GNU_SOURCE
#include "cbench.h"

#include <fcntl.h>

int cbench_open_direct(const char *path) { return open(path, O_RDONLY | O_DIRECT | O_CLOEXEC); }
