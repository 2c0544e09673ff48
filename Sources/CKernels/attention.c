// Attention over a paged cache: the walk over rows, heads and blocks.
//
// A query's scores, softmax and sums depend on its own tokens alone, taken block by block. Rows of one sequence that
// come together, such as a chunk of a prompt, are taken together for speed: a block of keys is widened to floats once
// for all their queries, and values are added to all of them where their spans of tokens overlap.
#include "kernels.h"
#include "worker.h"

// Queries taken together: rows of one sequence × heads that share keys.
#define QUERIES_MAX 64
// Floats of the queries taken together, and of their outputs. Larger heads are taken a row at a time.
#define QUERY_FLOATS_MAX 16384
// Floats of a head's keys and values of a block; larger ones are not widened.
#define WIDENED_FLOATS_MAX 65536
// From so many queries on a block is widened.
#define WIDENED_QUERIES_MIN 7
// Least work of a run that is spread over the pool, in products of keys and values: some 10 µs.
#define POOLED_PRODUCTS_MIN ((size_t)256 << 10)
// Items for each thread, where rows can be divided so: heads and spans of tokens differ.
#define ITEMS_PER_THREAD 4
// Fewer rows of a sequence together would widen each block too often.
#define TILE_ROWS_MIN 4
// Heads on one cached head are divided among threads down to so many: each part reads all keys.
#define PART_HEADS_MIN 8

// What one thread works with.
typedef struct {
    float queries[QUERY_FLOATS_MAX], out[QUERY_FLOATS_MAX];
    float widened[WIDENED_FLOATS_MAX];
    float p[QUERIES_MAX * CK_KV_BLOCK_TOKENS];
    float maxima[QUERIES_MAX], sums[QUERIES_MAX], factors[QUERIES_MAX];
} attention_arena;

_Static_assert(sizeof(attention_arena) <= CK_ARENA_BYTES, "a worker's arena holds it");

typedef struct {
    const ck_kernels *kernels;
    ck_cache_type type;
    const float *queries;
    const ck_attention_row *rows;
    size_t row_count, tile_rows;
    size_t heads, kv_heads, head_dim, value_dim;
    // Heads of a kv head that are taken together at the most, and how many such parts a kv head has.
    size_t part_heads, parts;
    // From one token's values to the next's.
    size_t value_stride;
    bool values_in_keys;
    float scale;
    const float *sinks;
    float *out;
} attention;

// Queries that are taken together: `rows` rows from `row` on, `heads` heads of each, [row, head, dim] contiguous.
typedef struct {
    size_t row, rows, kv_head, first_head, heads;
    const float *queries;
    float *out;
    attention_arena *arena;
} query_set;

// Slots of a block that one row attends to.
typedef struct {
    size_t first, end;
} slot_span;

// What is read of a block: keys and values of the slots from `first` on, and their scales unless NULL, both from slot 0
// on.
typedef struct {
    ck_cache_type type;
    const void *keys, *values;
    const float *key_scales, *value_scales;
} cached_block;

static slot_span span_of(const ck_attention_row *row, size_t block) {
    size_t start = block * CK_KV_BLOCK_TOKENS, end = start + CK_KV_BLOCK_TOKENS;
    size_t first = row->first_token > start ? row->first_token : start;
    if (end > row->token_count) end = row->token_count;
    if (first >= end) return (slot_span){0, 0};
    return (slot_span){first - start, end - start};
}

// Adds the values of slots first ..< end to `queries` of the set's queries from `query` on, whose earlier sums then
// need no more factors.
static void accumulate(const attention *a, query_set *set, const cached_block *block, slot_span span, size_t query,
                       size_t queries, const uint8_t *next) {
    if (span.first >= span.end) return;
    attention_arena *arena = set->arena;
    a->kernels->attention_values(block->type, arena->p + query * CK_KV_BLOCK_TOKENS + span.first,
                                 ck_cached_at(block->type, block->values, span.first * a->value_stride),
                                 span.end - span.first, a->value_dim, a->value_stride, queries,
                                 arena->factors + query, next, set->out + query * a->value_dim);
    for (size_t q = query; q < query + queries; q++) arena->factors[q] = 1;
}

// Adds the values of a block. What all rows attend to is added to all at once, what lies before and behind to each
// alone: every query sees its tokens in order.
static void add_values(const attention *a, query_set *set, const cached_block *block, const slot_span *spans,
                       const uint8_t *next) {
    slot_span shared = {0, CK_KV_BLOCK_TOKENS};
    for (size_t r = 0; r < set->rows; r++) {
        if (spans[r].first > shared.first) shared.first = spans[r].first;
        if (spans[r].end < shared.end) shared.end = spans[r].end;
    }
    const bool overlap = shared.first < shared.end;
    for (size_t r = 0; r < set->rows; r++) {
        slot_span before = {spans[r].first, overlap ? shared.first : spans[r].end};
        accumulate(a, set, block, before, r * set->heads, set->heads, NULL);
    }
    if (!overlap) return;
    accumulate(a, set, block, shared, 0, set->rows * set->heads, next);
    for (size_t r = 0; r < set->rows; r++) {
        slot_span after = {shared.end, spans[r].end};
        accumulate(a, set, block, after, r * set->heads, set->heads, NULL);
    }
}

// The elements of one head in slots first ..< end as floats; `to` begins with slot 0.
static void widen(const attention *a, const void *elements, slot_span span, size_t dim, float *to) {
    const size_t from = span.first * dim, count = (span.end - span.first) * dim;
    if (a->type == CK_CACHE_F16) {
        a->kernels->f32_from_f16((const uint16_t *)elements + from, count, to + from);
    } else {
        a->kernels->f32_from_int8((const int8_t *)elements + from, count, to + from);
    }
}

static const void *head_at(const attention *a, const void *block, size_t head, size_t dim) {
    return ck_cached_at(a->type, block, head * CK_KV_BLOCK_TOKENS * dim);
}

static const float *scales_at(const attention *a, const void *block, size_t head, size_t dim) {
    if (a->type != CK_CACHE_INT8) return NULL;
    const float *scales = (const float *)((const int8_t *)block + a->kv_heads * CK_KV_BLOCK_TOKENS * dim);
    return scales + head * CK_KV_BLOCK_TOKENS;
}

// Multiplies rows first ..< end of p by their tokens' scales.
static void multiply_scales(float *p, const float *scales, slot_span span) {
    if (scales == NULL) return;
    for (size_t t = span.first; t < span.end; t++) p[t] *= scales[t];
}

// One block of keys and values; `is_last` when there is none behind it.
static void add_block(const attention *a, query_set *set, size_t index, bool is_last) {
    const ck_attention_row *rows = a->rows + set->row;
    const size_t queries = set->rows * set->heads;
    slot_span spans[QUERIES_MAX], all = {CK_KV_BLOCK_TOKENS, 0};
    for (size_t r = 0; r < set->rows; r++) {
        spans[r] = span_of(&rows[r], index);
        if (spans[r].first == spans[r].end) continue;
        if (spans[r].first < all.first) all.first = spans[r].first;
        if (spans[r].end > all.end) all.end = spans[r].end;
    }
    if (all.first >= all.end) return;
    attention_arena *arena = set->arena;
    const void *key_block = rows[0].key_blocks[index], *value_block = rows[0].value_blocks[index];
    cached_block block = {
        a->type, head_at(a, key_block, set->kv_head, a->head_dim),
        head_at(a, value_block, set->kv_head, a->value_stride), scales_at(a, key_block, set->kv_head, a->head_dim),
        scales_at(a, value_block, set->kv_head, a->value_stride)};
    const uint8_t *next_values = a->values_in_keys ? NULL : block.values, *next_keys = NULL;
    if (!is_last) next_keys = head_at(a, rows[0].key_blocks[index + 1], set->kv_head, a->head_dim);
    const size_t widened = (a->head_dim + (a->values_in_keys ? 0 : a->value_dim)) * CK_KV_BLOCK_TOKENS;
    if (queries >= WIDENED_QUERIES_MIN && a->type != CK_CACHE_F32 && widened <= WIDENED_FLOATS_MAX) {
        float *keys = arena->widened, *values = keys + a->head_dim * CK_KV_BLOCK_TOKENS;
        widen(a, block.keys, all, a->head_dim, keys);
        if (!a->values_in_keys) widen(a, block.values, all, a->value_dim, values);
        block.type = CK_CACHE_F32;
        block.keys = keys;
        block.values = a->values_in_keys ? keys : values;
        next_values = next_keys = NULL;
    }
    // Keys and values of different size are not asked for by each other.
    if (a->head_dim != a->value_stride) next_values = next_keys = NULL;
    a->kernels->attention_scores(block.type, ck_cached_at(block.type, block.keys, all.first * a->head_dim),
                                 all.end - all.first, a->head_dim, set->queries, queries, next_values,
                                 arena->p + all.first);
    for (size_t query = 0; query < queries; query++) {
        const slot_span span = spans[query / set->heads];
        float *p = arena->p + query * CK_KV_BLOCK_TOKENS;
        arena->factors[query] = 1;
        if (span.first == span.end) continue;
        multiply_scales(p, block.key_scales, span);
        arena->factors[query] = a->kernels->softmax_step(p + span.first, span.end - span.first, a->scale,
                                                         &arena->maxima[query], &arena->sums[query]);
        multiply_scales(p, block.value_scales, span);
    }
    add_values(a, set, &block, spans, next_keys);
}

static void attend(const attention *a, query_set *set) {
    const ck_attention_row *rows = a->rows + set->row;
    const size_t queries = set->rows * set->heads;
    size_t first = rows[0].first_token, end = rows[0].token_count;
    for (size_t r = 1; r < set->rows; r++) {
        if (rows[r].first_token < first) first = rows[r].first_token;
        if (rows[r].token_count > end) end = rows[r].token_count;
    }
    // A sink is a token whose score is known and whose value is zero.
    for (size_t query = 0; query < queries; query++) {
        const float *sink = a->sinks == NULL ? NULL : a->sinks + set->first_head + query % set->heads;
        set->arena->maxima[query] = sink == NULL ? -INFINITY : *sink;
        set->arena->sums[query] = sink == NULL ? 0 : 1;
    }
    memset(set->out, 0, queries * a->value_dim * sizeof *set->out);
    const size_t last = (end - 1) / CK_KV_BLOCK_TOKENS;
    for (size_t block = first / CK_KV_BLOCK_TOKENS; block <= last; block++) add_block(a, set, block, block == last);
    for (size_t query = 0; query < queries; query++) {
        float inverse = 1.0f / set->arena->sums[query];
        float *out = set->out + query * a->value_dim;
        for (size_t d = 0; d < a->value_dim; d++) out[d] *= inverse;
    }
}

// `rows` rows of one sequence and `heads` heads from first_head on, all on one kv head.
static void attend_rows(const attention *a, size_t row, size_t rows, size_t kv_head, size_t first_head, size_t heads) {
    attention_arena *arena = (attention_arena *)ck_worker_arena;
    query_set set = {.row = row, .rows = rows, .kv_head = kv_head, .first_head = first_head, .heads = heads,
                     .arena = arena};
    const float *queries = a->queries + (row * a->heads + first_head) * a->head_dim;
    float *out = a->out + (row * a->heads + first_head) * a->value_dim;
    if (rows == 1) {
        set.queries = queries;
        set.out = out;
        attend(a, &set);
        return;
    }
    const size_t query_floats = heads * a->head_dim, out_floats = heads * a->value_dim;
    for (size_t r = 0; r < rows; r++) {
        memcpy(arena->queries + r * query_floats, queries + r * a->heads * a->head_dim, query_floats * sizeof *queries);
    }
    set.queries = arena->queries;
    set.out = arena->out;
    attend(a, &set);
    for (size_t r = 0; r < rows; r++) {
        memcpy(out + r * a->heads * a->value_dim, arena->out + r * out_floats, out_floats * sizeof *out);
    }
}

static bool is_same_sequence(const ck_attention_row *one, const ck_attention_row *other) {
    return one->key_blocks == other->key_blocks && one->value_blocks == other->value_blocks;
}

// The rows of one tile and one part of a kv head's heads, in runs of one sequence. The last rows come first: they see
// the most tokens of a prompt, and what takes longest is best begun early.
static void attend_item(void *context, size_t item) {
    const attention *a = context;
    const size_t sharing = a->heads / a->kv_heads;
    const size_t part = item % a->parts, kv_head = item / a->parts % a->kv_heads;
    const size_t tile = ck_tile_count(a->row_count, a->tile_rows) - 1 - item / a->parts / a->kv_heads;
    const size_t first = ck_tile_start(sharing, a->parts, part);
    const size_t heads = ck_tile_start(sharing, a->parts, part + 1) - first;
    size_t row = tile * a->tile_rows;
    const size_t end = ck_min_size(row + a->tile_rows, a->row_count);
    while (row < end) {
        size_t rows = 1;
        while (row + rows < end && is_same_sequence(&a->rows[row], &a->rows[row + rows])) rows++;
        attend_rows(a, row, rows, kv_head, kv_head * sharing + first, heads);
        row += rows;
    }
}

// As many heads and rows as fit together, fewer where some threads would else have nothing to do.
static void divide(attention *a, size_t threads) {
    const size_t sharing = a->heads / a->kv_heads, dim = a->head_dim > a->value_dim ? a->head_dim : a->value_dim;
    a->parts = ck_tile_count(sharing, QUERIES_MAX);
    while (sharing / a->parts >= 2 * PART_HEADS_MIN && a->row_count * a->kv_heads * a->parts < threads) a->parts *= 2;
    a->part_heads = ck_tile_count(sharing, a->parts);
    const size_t items = a->kv_heads * a->parts;
    size_t rows = ck_min_size(QUERIES_MAX, QUERY_FLOATS_MAX / dim) / a->part_heads;
    while (rows > TILE_ROWS_MIN && ck_tile_count(a->row_count, rows) * items < threads * ITEMS_PER_THREAD) rows /= 2;
    a->tile_rows = rows > 0 ? rows : 1;
}

size_t ck_attention_scratch_bytes(void) { return sizeof(attention_arena); }

void ck_attention(ck_pool *pool, ck_cache_type type, const float *queries, const ck_attention_row *rows,
                  size_t row_count, const ck_attention_shape *shape, float *out, void *scratch) {
    attention a = {.kernels = ck_kernels_current(), .type = type, .queries = queries, .rows = rows,
                   .row_count = row_count, .heads = shape->heads, .kv_heads = shape->kv_heads,
                   .head_dim = shape->head_dim, .value_dim = shape->value_dim,
                   .value_stride = shape->values_in_keys ? shape->head_dim : shape->value_dim,
                   .values_in_keys = shape->values_in_keys, .scale = shape->scale, .sinks = shape->sinks, .out = out};
    size_t products = 0;
    for (size_t row = 0; row < row_count; row++) {
        products += (rows[row].token_count - rows[row].first_token) * a.heads * (a.head_dim + a.value_dim);
    }
    if (products < POOLED_PRODUCTS_MIN) pool = NULL;
    divide(&a, ck_pool_threads(pool));
    uint8_t *arena_before = ck_worker_arena;
    ck_worker_arena = scratch;
    ck_pool_run(pool, ck_tile_count(row_count, a.tile_rows) * a.kv_heads * a.parts, attend_item, &a);
    ck_worker_arena = arena_before;
}
