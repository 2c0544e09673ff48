// Attention over a paged cache: the walk over rows, heads and blocks.
//
// A query's scores, softmax and sums depend on its own tokens alone, taken block by block. Rows of one sequence that
// come together, such as a chunk of a prompt, are taken together for speed: a block of keys is multiplied by all their
// queries, and values are added to all of them where their spans of tokens overlap.
#include "kernels.h"

// Queries taken together: rows of one sequence × heads that share keys. Bounds the scores on the stack; a multiple of
// the queries that kernels take at a time (2, 3, 4, 6).
#define QUERIES_MAX 24
// Floats of the queries taken together, and of their outputs. Larger heads are taken a row at a time.
#define QUERY_FLOATS_MAX 4096
// Least work of a run that is spread over the pool, in products of keys and values: some 10 µs.
#define POOLED_PRODUCTS_MIN ((size_t)256 << 10)

typedef struct {
    const ck_kernels *kernels;
    ck_float_type type;
    const float *queries;
    const ck_attention_row *rows;
    size_t row_count, tile_rows;
    size_t heads, kv_heads, head_dim, value_dim;
    float scale;
    float *out;
} attention;

// Queries that are taken together: `rows` rows from `row` on, `heads` heads of each, [row, head, dim] contiguous.
typedef struct {
    size_t row, rows, kv_head, heads;
    const float *queries;
    float *out;
    float maxima[QUERIES_MAX], sums[QUERIES_MAX];
} query_set;

// Adds count tokens of a block to `queries` of the set's outputs.
static void accumulate(const attention *a, const float *p, const uint8_t *values, size_t slot, size_t count,
                       size_t queries, const float *factors, float *out) {
    if (count == 0) return;
    const void *from = values + slot * a->value_dim * ck_float_bytes(a->type);
    if (a->type == CK_F16) {
        a->kernels->accumulate_f16(p + slot, from, count, a->value_dim, queries, factors, out);
    } else {
        a->kernels->accumulate_f32(p + slot, from, count, a->value_dim, queries, factors, out);
    }
}

// Slots of a block that one row attends to.
typedef struct {
    size_t first, end;
} slot_span;

static slot_span span_of(const ck_attention_row *row, size_t block) {
    size_t start = block * CK_KV_BLOCK_TOKENS, end = start + CK_KV_BLOCK_TOKENS;
    size_t first = row->first_token > start ? row->first_token : start;
    if (end > row->token_count) end = row->token_count;
    if (first >= end) return (slot_span){0, 0};
    return (slot_span){first - start, end - start};
}

// Adds the values of a block; p is [query, CK_KV_BLOCK_TOKENS]. What all rows attend to is added to all at once, what
// lies before and behind to each alone: every query sees its tokens in order.
static void add_values(const attention *a, query_set *set, const uint8_t *values, const slot_span *spans,
                       const float *p, float *factors) {
    size_t first = 0, end = CK_KV_BLOCK_TOKENS;
    for (size_t r = 0; r < set->rows; r++) {
        if (spans[r].first > first) first = spans[r].first;
        if (spans[r].end < end) end = spans[r].end;
    }
    bool overlap = first < end;
    for (size_t r = 0; r < set->rows; r++) {
        size_t query = r * set->heads, stop = overlap ? first : spans[r].end;
        if (stop <= spans[r].first) continue;
        accumulate(a, p + query * CK_KV_BLOCK_TOKENS, values, spans[r].first, stop - spans[r].first, set->heads,
                   factors + query, set->out + query * a->value_dim);
        for (size_t h = 0; h < set->heads; h++) factors[query + h] = 1;
    }
    if (!overlap) return;
    accumulate(a, p, values, first, end - first, set->rows * set->heads, factors, set->out);
    for (size_t query = 0; query < set->rows * set->heads; query++) factors[query] = 1;
    for (size_t r = 0; r < set->rows; r++) {
        size_t query = r * set->heads;
        accumulate(a, p + query * CK_KV_BLOCK_TOKENS, values, end, spans[r].end - end, set->heads, factors + query,
                   set->out + query * a->value_dim);
    }
}

// One block of keys and values.
static void add_block(const attention *a, query_set *set, size_t block) {
    const ck_attention_row *rows = a->rows + set->row;
    const size_t queries = set->rows * set->heads, element_bytes = ck_float_bytes(a->type);
    slot_span spans[QUERIES_MAX], all = {CK_KV_BLOCK_TOKENS, 0};
    for (size_t r = 0; r < set->rows; r++) {
        spans[r] = span_of(&rows[r], block);
        if (spans[r].first == spans[r].end) continue;
        if (spans[r].first < all.first) all.first = spans[r].first;
        if (spans[r].end > all.end) all.end = spans[r].end;
    }
    if (all.first >= all.end) return;
    const size_t head_slot = set->kv_head * CK_KV_BLOCK_TOKENS;
    const uint8_t *keys = rows[0].key_blocks[block];
    const uint8_t *values = rows[0].value_blocks[block];
    keys += (head_slot + all.first) * a->head_dim * element_bytes;
    values += head_slot * a->value_dim * element_bytes;
    float p[QUERIES_MAX * CK_KV_BLOCK_TOKENS], factors[QUERIES_MAX];
    if (a->type == CK_F16) {
        a->kernels->dot_f16((const uint16_t *)keys, a->head_dim, all.end - all.first, set->queries, a->head_dim,
                            queries, a->head_dim, p + all.first, CK_KV_BLOCK_TOKENS);
    } else {
        a->kernels->dot_f32((const float *)keys, a->head_dim, all.end - all.first, set->queries, a->head_dim, queries,
                            a->head_dim, p + all.first, CK_KV_BLOCK_TOKENS);
    }
    for (size_t query = 0; query < queries; query++) {
        slot_span span = spans[query / set->heads];
        factors[query] = 1;
        if (span.first == span.end) continue;
        factors[query] = a->kernels->softmax_step(p + query * CK_KV_BLOCK_TOKENS + span.first, span.end - span.first,
                                                  a->scale, &set->maxima[query], &set->sums[query]);
    }
    add_values(a, set, values, spans, p, factors);
}

static void attend(const attention *a, query_set *set) {
    const ck_attention_row *rows = a->rows + set->row;
    const size_t queries = set->rows * set->heads;
    size_t first = rows[0].first_token, end = rows[0].token_count;
    for (size_t r = 1; r < set->rows; r++) {
        if (rows[r].first_token < first) first = rows[r].first_token;
        if (rows[r].token_count > end) end = rows[r].token_count;
    }
    for (size_t query = 0; query < queries; query++) {
        set->maxima[query] = -INFINITY;
        set->sums[query] = 0;
    }
    memset(set->out, 0, queries * a->value_dim * sizeof *set->out);
    for (size_t block = first / CK_KV_BLOCK_TOKENS; block * CK_KV_BLOCK_TOKENS < end; block++) {
        add_block(a, set, block);
    }
    for (size_t query = 0; query < queries; query++) {
        float inverse = 1.0f / set->sums[query];
        float *out = set->out + query * a->value_dim;
        for (size_t d = 0; d < a->value_dim; d++) out[d] *= inverse;
    }
}

// `rows` rows of one sequence and `heads` heads from first_head on, all on one kv head.
static void attend_rows(const attention *a, size_t row, size_t rows, size_t kv_head, size_t first_head, size_t heads) {
    query_set set = {.row = row, .rows = rows, .kv_head = kv_head, .heads = heads};
    const float *queries = a->queries + (row * a->heads + first_head) * a->head_dim;
    float *out = a->out + (row * a->heads + first_head) * a->value_dim;
    if (rows == 1) {
        set.queries = queries;
        set.out = out;
        attend(a, &set);
        return;
    }
    float gathered[QUERY_FLOATS_MAX], sums[QUERY_FLOATS_MAX];
    const size_t query_floats = heads * a->head_dim, out_floats = heads * a->value_dim;
    for (size_t r = 0; r < rows; r++) {
        memcpy(gathered + r * query_floats, queries + r * a->heads * a->head_dim, query_floats * sizeof *queries);
    }
    set.queries = gathered;
    set.out = sums;
    attend(a, &set);
    for (size_t r = 0; r < rows; r++) {
        memcpy(out + r * a->heads * a->value_dim, sums + r * out_floats, out_floats * sizeof *out);
    }
}

static bool is_same_sequence(const ck_attention_row *one, const ck_attention_row *other) {
    return one->key_blocks == other->key_blocks && one->value_blocks == other->value_blocks;
}

// The rows of one tile and one kv head, in runs of one sequence.
static void attend_item(void *context, size_t item) {
    const attention *a = context;
    const size_t kv_head = item % a->kv_heads, sharing = a->heads / a->kv_heads;
    size_t row = item / a->kv_heads * a->tile_rows;
    const size_t end = ck_min_size(row + a->tile_rows, a->row_count);
    while (row < end) {
        size_t rows = 1;
        while (row + rows < end && is_same_sequence(&a->rows[row], &a->rows[row + rows])) rows++;
        for (size_t first = 0; first < sharing; first += QUERIES_MAX) {
            attend_rows(a, row, rows, kv_head, kv_head * sharing + first, ck_min_size(QUERIES_MAX, sharing - first));
        }
        row += rows;
    }
}

void ck_attention(ck_pool *pool, ck_float_type type, const float *queries, const ck_attention_row *rows,
                  size_t row_count, size_t heads, size_t kv_heads, size_t head_dim, size_t value_dim, float scale,
                  float *out) {
    const size_t sharing = heads / kv_heads, dim = head_dim > value_dim ? head_dim : value_dim;
    const size_t together = ck_min_size(QUERIES_MAX, QUERY_FLOATS_MAX / dim) / sharing;
    attention a = {ck_kernels_current(), type, queries, rows, row_count, together > 0 ? together : 1,
                   heads, kv_heads, head_dim, value_dim, scale, out};
    size_t products = 0;
    for (size_t row = 0; row < row_count; row++) {
        products += (rows[row].token_count - rows[row].first_token) * heads * (head_dim + value_dim);
    }
    if (products < POOLED_PRODUCTS_MIN) pool = NULL;
    ck_pool_run(pool, ck_tile_count(row_count, a.tile_rows) * kv_heads, attend_item, &a);
}

void ck_kv_store(ck_float_type type, const float *token, size_t kv_heads, size_t head_dim, uint32_t slot, void *block) {
    for (size_t head = 0; head < kv_heads; head++) {
        size_t element = (head * CK_KV_BLOCK_TOKENS + slot) * head_dim;
        void *to = (uint8_t *)block + element * ck_float_bytes(type);
        ck_convert_from_f32(type, token + head * head_dim, head_dim, to);
    }
}
