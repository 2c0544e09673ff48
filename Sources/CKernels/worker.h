// Memory that belongs to one worker of a pool: where a kernel unpacks weights.
#ifndef CK_WORKER_H
#define CK_WORKER_H

#include <stddef.h>
#include <stdint.h>

// Holds what a product unpacks at a time: a float panel with its sums and its weights as floats, or a row of the widest
// matrix as floats, or rows of narrow elements as bytes beside an affine panel. Touched only as far as it is used.
#define CK_ARENA_BYTES ((size_t)2 << 20)

// The part of it that an affine panel takes.
#define CK_AFFINE_ARENA_BYTES ((size_t)512 << 10)

// The calling thread's arena, 64-byte aligned. A pool gives its threads theirs; ck_matmul gives its caller a part of
// scratch.
extern _Thread_local uint8_t *ck_worker_arena;

#endif
