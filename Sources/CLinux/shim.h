// What Swift's Glibc module leaves out of Linux.

#ifndef CLINUX_SHIM_H
#define CLINUX_SHIM_H

#include <sys/eventfd.h>
#include <sys/prctl.h>

// Names the calling thread as tools show it; 15 bytes at most.
static inline void clinux_name_thread(const char *name) {
    prctl(PR_SET_NAME, name, 0, 0, 0);
}

#endif
