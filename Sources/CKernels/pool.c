// The worker pool: the caller takes items beside its workers, which spin a little between runs and then sleep on a
// futex.
//
// Each worker has a share of a run's items, one after the other, so that it walks through memory in one direction; who
// has none left takes the last ones of another's share. A share is one 64-bit word: the run's number, the first item
// that is left and the end. A worker that read run r's description takes an item by swapping (r, i, e) for (r, i + 1,
// e), or for (r, i, e − 1) where the share is another's; the swap succeeds only while run r has items left, and then
// the description it read is run r's, since the caller writes another only after every item of r is done. So a run
// ends when its items are done and never waits for a worker that took none: a worker that the system has set aside
// costs nothing.
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
// Items of a run; more are run in several.
#define ITEMS_MAX UINT16_MAX

// Items of a run that nobody has taken yet.
typedef struct {
    _Alignas(CACHE_LINE_BYTES) _Atomic uint64_t left;  // run << 32 | first item << 16 | end
} share;

struct ck_pool {
    uint32_t threads;
    uint32_t started;  // worker threads, without the caller
    pthread_t *handles;
    uint8_t *arenas;  // [threads − 1, CK_ARENA_BYTES]
    share *shares;    // [threads], the caller's first

    // The run in progress; written by the caller between runs. Relaxed atomics: shares and `run` order them.
    _Alignas(CACHE_LINE_BYTES) _Atomic(ck_pool_body) body;
    _Atomic(void *) context;
    _Atomic uint32_t items;
    atomic_bool stopping;

    _Atomic uint32_t run;  // its number, published when all shares are

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

// Takes an item of run `run` from a share: its first, or its last where the share is another's.
static bool take_item(share *from, uint32_t run, bool is_own, uint32_t *item) {
    uint64_t left = atomic_load_explicit(&from->left, memory_order_acquire);
    for (;;) {
        uint32_t first = (uint32_t)left >> 16, end = (uint32_t)left & 0xffffu;
        if ((uint32_t)(left >> 32) != run || first >= end) return false;
        *item = is_own ? first : end - 1;
        uint64_t rest = is_own ? left + 0x10000u : left - 1;
        if (atomic_compare_exchange_weak_explicit(&from->left, &left, rest, memory_order_acq_rel,
                                                  memory_order_acquire)) {
            return true;
        }
    }
}

// Runs what is left of run `run`: the worker's own share, then what others have not begun.
static void work_on(ck_pool *pool, uint32_t run, uint32_t worker) {
    // Read before an item is taken, and so this run's once one was.
    ck_pool_body body = atomic_load_explicit(&pool->body, memory_order_relaxed);
    void *context = atomic_load_explicit(&pool->context, memory_order_relaxed);
    uint32_t items = atomic_load_explicit(&pool->items, memory_order_relaxed), taken = 0;
    for (uint32_t i = 0, owner = worker; i < pool->threads; i++) {
        uint32_t item;
        while (take_item(&pool->shares[owner], run, i == 0, &item)) {
            body(context, item);
            taken++;
        }
        if (++owner == pool->threads) owner = 0;
    }
    if (taken == 0) return;
    if (atomic_fetch_add(&pool->done, taken) + taken == items && atomic_load(&pool->caller_sleeps) != 0) {
        futex_wake_all(&pool->done);
    }
}

static bool has_news(ck_pool *pool, uint32_t run) {
    return atomic_load(&pool->run) != run || atomic_load(&pool->stopping);
}

// Returns whether there was news while this thread could spin.
static bool spin_for_news(ck_pool *pool, uint32_t run) {
    for (int yields = 0; yields < YIELDS_BEFORE_SLEEP; yields++) {
        for (int spins = 0; spins < SPINS_PER_YIELD; spins++) {
            if (has_news(pool, run)) return true;
            pause_briefly();
        }
        sched_yield();
    }
    return false;
}

// Returns once the run is another than `run` or the pool stops.
static void wait_for_news(ck_pool *pool, uint32_t run) {
    while (!spin_for_news(pool, run)) {
        atomic_fetch_add(&pool->sleepers, 1);
        uint32_t seen = atomic_load(&pool->bell);
        if (!has_news(pool, run)) futex_wait(&pool->bell, seen);
        atomic_fetch_sub(&pool->sleepers, 1);
    }
}

static void ring_bell(ck_pool *pool) {
    if (atomic_load(&pool->sleepers) == 0) return;
    atomic_fetch_add(&pool->bell, 1);
    futex_wake_all(&pool->bell);
}

void ck_pool_rouse(ck_pool *pool) {
    if (pool != NULL) ring_bell(pool);
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
        run = atomic_load(&pool->run);
        work_on(pool, run, start.index);
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
    pool->shares = aligned_alloc(CACHE_LINE_BYTES, threads * sizeof *pool->shares);
    pool->handles = calloc(threads - 1, sizeof *pool->handles);
    pool->arenas = aligned_alloc(CACHE_LINE_BYTES, (size_t)(threads - 1) * CK_ARENA_BYTES);
    bool has_memory = pool->shares != NULL && pool->handles != NULL && pool->arenas != NULL;
    for (uint32_t index = 0; has_memory && index < threads; index++) atomic_init(&pool->shares[index].left, 0);
    if (!has_memory || !start_workers(pool)) {
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
    free(pool->shares);
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
    uint32_t run = atomic_load_explicit(&pool->run, memory_order_relaxed) + 1;
    atomic_store_explicit(&pool->body, body, memory_order_relaxed);
    atomic_store_explicit(&pool->context, context, memory_order_relaxed);
    atomic_store_explicit(&pool->items, items, memory_order_relaxed);
    atomic_store(&pool->done, 0);
    for (uint32_t worker = 0; worker < pool->threads; worker++) {
        uint64_t first = (uint64_t)items * worker / pool->threads, end = (uint64_t)items * (worker + 1) / pool->threads;
        atomic_store_explicit(&pool->shares[worker].left, (uint64_t)run << 32 | first << 16 | end,
                              memory_order_release);
    }
    atomic_store(&pool->run, run);
    ring_bell(pool);
    work_on(pool, run, 0);
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
    if (items <= ITEMS_MAX) {
        run_slice(pool, (uint32_t)items, body, context);
        return;
    }
    for (size_t first = 0; first < items; first += ITEMS_MAX) {
        slice_context slice = {body, context, first};
        size_t count = items - first < ITEMS_MAX ? items - first : ITEMS_MAX;
        run_slice(pool, (uint32_t)count, run_slice_item, &slice);
    }
}
