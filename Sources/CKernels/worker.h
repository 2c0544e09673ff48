// Memory that belongs to one worker of a pool: where a kernel unpacks weights.
#ifndef CK_WORKER_H
#define CK_WORKER_H

#include <stddef.h>
#include <stdint.h>

// A second-level cache holds it, and it holds one unpacked row of the widest matrix allowed (CK_INPUTS_MAX floats).
#define CK_ARENA_BYTES ((size_t)512 << 10)

// The calling thread's arena, 64-byte aligned. A pool gives its threads theirs; ck_matmul gives its caller a part of scratch.
extern _Thread_local uint8_t *ck_worker_arena;

#endif
