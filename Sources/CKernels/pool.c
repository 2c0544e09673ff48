// The worker pool: the caller takes items beside its workers, which spin a little between runs and then sleep on a
// futex.
//
// One 64-bit word, `claims`, holds the run's number and the next item to take. A worker that read run r's description
// takes an item by swapping (r, i) for (r, i + 1). Before the caller writes another description, with every item of r
// done, it puts a run without items between: from then on no swap of r's succeeds, also not that of a worker that has
// read r's word and then the new description. So a run ends when its items are done and never waits for a worker that
// took none: a worker that the system has set aside costs nothing.
#define _GNU_SOURCE
#include "ckernels.h"

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "worker.h"

// Pauses between two looks at the clock of the scheduler: spinning on without yielding collapses when another program
// wants the core.
#define SPINS_PER_YIELD 64
// Yields before a waiting thread sleeps: together some 100 to 300 µs, longer than the gap between two kernels of a
// layer, shorter than a wait for the network.
#define YIELDS_BEFORE_SLEEP 64
// Workers' stacks: kernels keep some tens of kilobytes there.
#define WORKER_STACK_BYTES ((size_t)1 << 20)
#define CACHE_LINE_BYTES 64

struct ck_pool {
    uint32_t threads;
    uint32_t started;  // worker threads, without the caller
    pthread_t *handles;
    uint8_t *arenas;  // [threads − 1, CK_ARENA_BYTES]

    // The run in progress; written by the caller between runs, while `claims` has nothing to take.
    _Alignas(CACHE_LINE_BYTES) _Atomic(ck_pool_body) body;
    _Atomic(void *) context;
    _Atomic uint32_t items;
    atomic_bool stopping;

    _Alignas(CACHE_LINE_BYTES) _Atomic uint64_t claims;  // run << 32 | next item
    _Alignas(CACHE_LINE_BYTES) _Atomic uint32_t done;    // items of this run that are finished; a futex
    _Atomic uint32_t caller_sleeps;
    _Alignas(CACHE_LINE_BYTES) _Atomic uint32_t bell;  // counts up to wake sleepers; a futex
    _Atomic uint32_t sleepers;
};

typedef struct {
    ck_pool *pool;
    uint32_t index;
} worker_start;

_Thread_local uint8_t *ck_worker_arena;

static inline void pause_briefly(void) {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("isb" ::: "memory");
#endif
}

static void futex_wait(_Atomic uint32_t *word, uint32_t seen) {
    syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, seen, NULL, NULL, 0);
}

static void futex_wake_all(_Atomic uint32_t *word) {
    syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0);
}

// Takes and runs items of run `run` until none is left.
static void work_on(ck_pool *pool, uint32_t run) {
    uint64_t claim = atomic_load_explicit(&pool->claims, memory_order_acquire);
    while ((uint32_t)(claim >> 32) == run) {
        uint32_t items = atomic_load_explicit(&pool->items, memory_order_acquire);
        ck_pool_body body = atomic_load_explicit(&pool->body, memory_order_acquire);
        void *context = atomic_load_explicit(&pool->context, memory_order_acquire);
        uint32_t item = (uint32_t)claim;
        if (item >= items) return;
        if (!atomic_compare_exchange_weak_explicit(&pool->claims, &claim, claim + 1, memory_order_acq_rel,
                                                   memory_order_acquire)) {
            continue;
        }
        body(context, item);
        if (atomic_fetch_add(&pool->done, 1) + 1 == items && atomic_load(&pool->caller_sleeps) != 0) {
            futex_wake_all(&pool->done);
        }
        claim = atomic_load_explicit(&pool->claims, memory_order_acquire);
    }
}

static bool has_news(ck_pool *pool, uint32_t run) {
    return (uint32_t)(atomic_load(&pool->claims) >> 32) != run || atomic_load(&pool->stopping);
}

// Returns once the run is another than `run` or the pool stops.
static void wait_for_news(ck_pool *pool, uint32_t run) {
    for (int yields = 0; yields < YIELDS_BEFORE_SLEEP; yields++) {
        for (int spins = 0; spins < SPINS_PER_YIELD; spins++) {
            if (has_news(pool, run)) return;
            pause_briefly();
        }
        sched_yield();
    }
    atomic_fetch_add(&pool->sleepers, 1);
    for (;;) {
        uint32_t seen = atomic_load(&pool->bell);
        if (has_news(pool, run)) break;
        futex_wait(&pool->bell, seen);
    }
    atomic_fetch_sub(&pool->sleepers, 1);
}

static void ring_bell(ck_pool *pool) {
    if (atomic_load(&pool->sleepers) == 0) return;
    atomic_fetch_add(&pool->bell, 1);
    futex_wake_all(&pool->bell);
}

static void *worker_main(void *argument) {
    worker_start start = *(worker_start *)argument;
    free(argument);
    ck_pool *pool = start.pool;
    ck_worker_arena = pool->arenas + (size_t)(start.index - 1) * CK_ARENA_BYTES;
    char name[16];  // the kernel's limit for a thread's name
    snprintf(name, sizeof name, "ck-worker-%u", (unsigned)start.index);
    pthread_setname_np(pthread_self(), name);
    uint32_t run = 0;
    for (;;) {
        wait_for_news(pool, run);
        if (atomic_load(&pool->stopping)) return NULL;
        run = (uint32_t)(atomic_load(&pool->claims) >> 32);
        work_on(pool, run);
    }
}

static bool start_worker(ck_pool *pool, const pthread_attr_t *attributes, uint32_t index) {
    worker_start *start = malloc(sizeof *start);
    if (start == NULL) return false;
    *start = (worker_start){pool, index};
    if (pthread_create(&pool->handles[pool->started], attributes, worker_main, start) != 0) {
        free(start);
        return false;
    }
    pool->started++;
    return true;
}

static bool start_workers(ck_pool *pool) {
    pthread_attr_t attributes;
    if (pthread_attr_init(&attributes) != 0) return false;
    pthread_attr_setstacksize(&attributes, WORKER_STACK_BYTES);
    // Signals are for the program's own threads: workers inherit a mask that blocks them all.
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    bool complete = true;
    for (uint32_t index = 1; index < pool->threads && complete; index++) {
        complete = start_worker(pool, &attributes, index);
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    return complete;
}

ck_pool *ck_pool_create(uint32_t threads) {
    if (threads < 1 || threads > CK_POOL_THREADS_MAX) return NULL;
    ck_pool *pool = aligned_alloc(CACHE_LINE_BYTES, sizeof *pool);
    if (pool == NULL) return NULL;
    *pool = (ck_pool){.threads = threads};
    if (threads == 1) return pool;
    pool->handles = calloc(threads - 1, sizeof *pool->handles);
    pool->arenas = aligned_alloc(CACHE_LINE_BYTES, (size_t)(threads - 1) * CK_ARENA_BYTES);
    if (pool->handles == NULL || pool->arenas == NULL || !start_workers(pool)) {
        ck_pool_destroy(pool);
        return NULL;
    }
    return pool;
}

void ck_pool_destroy(ck_pool *pool) {
    if (pool == NULL) return;
    atomic_store(&pool->stopping, true);
    ring_bell(pool);
    for (uint32_t index = 0; index < pool->started; index++) pthread_join(pool->handles[index], NULL);
    free(pool->handles);
    free(pool->arenas);
    free(pool);
}

uint32_t ck_pool_threads(const ck_pool *pool) { return pool == NULL ? 1 : pool->threads; }

// Returns once every item of the run is done.
static void wait_until_done(ck_pool *pool, uint32_t items) {
    for (int yields = 0; yields < YIELDS_BEFORE_SLEEP; yields++) {
        for (int spins = 0; spins < SPINS_PER_YIELD; spins++) {
            if (atomic_load(&pool->done) == items) return;
            pause_briefly();
        }
        sched_yield();
    }
    atomic_store(&pool->caller_sleeps, 1);
    for (;;) {
        uint32_t done = atomic_load(&pool->done);
        if (done == items) break;
        futex_wait(&pool->done, done);
    }
    atomic_store(&pool->caller_sleeps, 0);
}

static void run_slice(ck_pool *pool, uint32_t items, ck_pool_body body, void *context) {
    uint32_t run = (uint32_t)(atomic_load_explicit(&pool->claims, memory_order_relaxed) >> 32) + 2;
    // Whoever sees one of the next stores sees this one when it swaps.
    atomic_store(&pool->claims, (uint64_t)(run - 1) << 32 | UINT32_MAX);
    atomic_store_explicit(&pool->body, body, memory_order_release);
    atomic_store_explicit(&pool->context, context, memory_order_release);
    atomic_store_explicit(&pool->items, items, memory_order_release);
    atomic_store(&pool->done, 0);
    atomic_store(&pool->claims, (uint64_t)run << 32);
    ring_bell(pool);
    work_on(pool, run);
    wait_until_done(pool, items);
}

typedef struct {
    ck_pool_body body;
    void *context;
    size_t first;
} slice_context;

static void run_slice_item(void *context, size_t item) {
    const slice_context *slice = context;
    slice->body(slice->context, slice->first + item);
}

void ck_pool_run(ck_pool *pool, size_t items, ck_pool_body body, void *context) {
    if (pool == NULL || pool->threads == 1 || items <= 1) {
        for (size_t item = 0; item < items; item++) body(context, item);
        return;
    }
    if (items <= UINT32_MAX) {
        run_slice(pool, (uint32_t)items, body, context);
        return;
    }
    for (size_t first = 0; first < items; first += UINT32_MAX) {
        slice_context slice = {body, context, first};
        size_t count = items - first < UINT32_MAX ? items - first : UINT32_MAX;
        run_slice(pool, (uint32_t)count, run_slice_item, &slice);
    }
}
