// Row operations and conversions spread over the pool.
#include "kernels.h"

// Elements of an item: some 5 µs of work, ten times what handing an item out costs.
#define ITEM_ELEMENTS ((size_t)16 << 10)

typedef struct {
    const ck_kernels *kernels;
    const float *a, *b;
    float *out;
    float offset, epsilon;  // of a norm
    float limit, alpha;     // of a clamped gate
    size_t rows, columns;  // an element-wise operation has one row of all elements
    size_t heads, head_dim, rotary;
    bool interleaved;
    size_t item_rows;
} row_run;

// Runs `body` over the rows in items of about ITEM_ELEMENTS elements.
static void run_rows(ck_pool *pool, row_run *run, ck_pool_body body) {
    run->item_rows = ITEM_ELEMENTS / (run->columns == 0 ? 1 : run->columns) + 1;
    ck_pool_run(pool, (run->rows + run->item_rows - 1) / run->item_rows, body, run);
}

static size_t end_row(const row_run *run, size_t item) { return ck_min_size((item + 1) * run->item_rows, run->rows); }

static void rms_norm_item(void *context, size_t item) {
    const row_run *run = context;
    for (size_t row = item * run->item_rows; row < end_row(run, item); row++) {
        size_t at = row * run->columns;
        run->kernels->rms_norm_row(run->a + at, run->b, run->offset, run->epsilon, run->columns, run->out + at);
    }
}

void ck_rms_norm_offset(ck_pool *pool, const float *x, const float *weight, float offset, float epsilon, size_t rows,
                        size_t columns, float *out) {
    row_run run = {.kernels = ck_kernels_current(), .a = x, .b = weight, .out = out, .offset = offset,
                   .epsilon = epsilon, .rows = rows, .columns = columns};
    run_rows(pool, &run, rms_norm_item);
}

void ck_rms_norm(ck_pool *pool, const float *x, const float *weight, float epsilon, size_t rows, size_t columns,
                 float *out) {
    ck_rms_norm_offset(pool, x, weight, 0, epsilon, rows, columns, out);
}

static void rope_item(void *context, size_t item) {
    const row_run *run = context;
    for (size_t row = item * run->item_rows; row < end_row(run, item); row++) {
        size_t pairs = row * (run->rotary / 2);
        run->kernels->rope_row(run->out + row * run->columns, run->a + pairs, run->b + pairs, run->heads,
                               run->head_dim, run->rotary, run->interleaved);
    }
}

void ck_rope(ck_pool *pool, float *x, const float *cosines, const float *sines, size_t rows, size_t heads,
             size_t head_dim, size_t rotary, bool interleaved) {
    row_run run = {.kernels = ck_kernels_current(), .a = cosines, .b = sines, .out = x, .rows = rows,
                   .columns = heads * head_dim, .heads = heads, .head_dim = head_dim, .rotary = rotary,
                   .interleaved = interleaved};
    run_rows(pool, &run, rope_item);
}

static void silu_multiply_item(void *context, size_t item) {
    const row_run *run = context;
    size_t first = item * ITEM_ELEMENTS, count = ck_min_size(ITEM_ELEMENTS, run->columns - first);
    run->kernels->silu_multiply(run->a + first, run->b + first, count, run->out + first);
}

static void gelu_multiply_item(void *context, size_t item) {
    const row_run *run = context;
    size_t first = item * ITEM_ELEMENTS, count = ck_min_size(ITEM_ELEMENTS, run->columns - first);
    run->kernels->gelu_multiply(run->a + first, run->b + first, count, run->out + first);
}

static void clamped_multiply_item(void *context, size_t item) {
    const row_run *run = context;
    size_t first = item * ITEM_ELEMENTS, count = ck_min_size(ITEM_ELEMENTS, run->columns - first);
    run->kernels->clamped_multiply(run->a + first, run->b + first, run->limit, run->alpha, count, run->out + first);
}

static void add_item(void *context, size_t item) {
    const row_run *run = context;
    size_t first = item * ITEM_ELEMENTS, count = ck_min_size(ITEM_ELEMENTS, run->columns - first);
    run->kernels->add(run->a + first, run->b + first, count, run->out + first);
}

void ck_silu_multiply(ck_pool *pool, const float *gate, const float *up, size_t count, float *out) {
    row_run run = {.kernels = ck_kernels_current(), .a = gate, .b = up, .out = out, .columns = count};
    ck_pool_run(pool, (count + ITEM_ELEMENTS - 1) / ITEM_ELEMENTS, silu_multiply_item, &run);
}

void ck_gelu_multiply(ck_pool *pool, const float *gate, const float *up, size_t count, float *out) {
    row_run run = {.kernels = ck_kernels_current(), .a = gate, .b = up, .out = out, .columns = count};
    ck_pool_run(pool, (count + ITEM_ELEMENTS - 1) / ITEM_ELEMENTS, gelu_multiply_item, &run);
}

void ck_clamped_multiply(ck_pool *pool, const float *gate, const float *up, float limit, float alpha, size_t count,
                         float *out) {
    row_run run = {.kernels = ck_kernels_current(), .a = gate, .b = up, .out = out, .limit = limit, .alpha = alpha,
                   .columns = count};
    ck_pool_run(pool, (count + ITEM_ELEMENTS - 1) / ITEM_ELEMENTS, clamped_multiply_item, &run);
}

void ck_separate_pairs(const float *pairs, size_t count, float *first, float *second) {
    for (size_t i = 0; i < count; i++) {
        first[i] = pairs[2 * i];
        second[i] = pairs[2 * i + 1];
    }
}

void ck_add(ck_pool *pool, const float *a, const float *b, size_t count, float *out) {
    row_run run = {.kernels = ck_kernels_current(), .a = a, .b = b, .out = out, .columns = count};
    ck_pool_run(pool, (count + ITEM_ELEMENTS - 1) / ITEM_ELEMENTS, add_item, &run);
}

ck_logits_summary ck_summarize_logits(const float *logits, size_t count) {
    return ck_kernels_current()->summarize_logits(logits, count);
}

void ck_convert_from_f32(ck_float_type type, const float *from, size_t count, void *to) {
    switch (type) {
    case CK_F32: memcpy(to, from, count * sizeof *from); break;
    case CK_F16: ck_kernels_current()->f16_from_f32(from, count, to); break;
    case CK_BF16: ck_kernels_current()->bf16_from_f32(from, count, to); break;
    }
}

void ck_convert_to_f32(ck_float_type type, const void *from, size_t count, float *to) {
    switch (type) {
    case CK_F32: memcpy(to, from, count * sizeof *to); break;
    case CK_F16: ck_kernels_current()->f32_from_f16(from, count, to); break;
    case CK_BF16: ck_kernels_current()->f32_from_bf16(from, count, to); break;
    }
}
