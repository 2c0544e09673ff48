// Rows as products need them: quantised, rounded, ordered or packed, before they meet weights.
#include "panel.h"
#include "product.h"
#include "worker.h"

static size_t group_stride(size_t inputs, size_t group) { return ck_round_up(inputs / group, CK_GROUP_BLOCK); }

// 64 bytes more than the values, so that rows of 4096 inputs do not all fall into the same cache sets.
static size_t value_stride(size_t inputs, size_t group) {
    return group_stride(inputs, group) * ck_spread_group(group) + 64;
}

// The same of ordered rows, in floats.
static size_t ordered_stride(size_t inputs) { return ck_round_up(inputs, CK_PAIR_INPUTS) + CK_LANES; }

size_t ck_prepared_bytes(size_t rows, size_t inputs) {
    rows = ck_min_size(rows, CK_PANEL_ROWS_MAX);
    // The smallest groups need the most scales and values, the largest the most padding.
    inputs = ck_round_up(inputs, CK_GROUP_MAX);
    size_t scales = group_stride(inputs, CK_GROUP_SPREAD) * 3 * sizeof(float);
    size_t values = value_stride(inputs, CK_GROUP_SPREAD), padded = value_stride(inputs, CK_GROUP_MAX);
    size_t quantized = rows * ((values > padded ? values : padded) + scales);
    size_t packed = ck_packed_rows_floats(rows, inputs) * sizeof(float);
    size_t ordered = rows * ordered_stride(inputs) * sizeof(float);
    size_t floats = packed > ordered ? packed : ordered;
    return ck_round_up(quantized > floats ? quantized : floats, 64);
}

static void quantize_item(void *context, size_t row) {
    product_run *run = context;
    const float *x = run->x + row * run->inputs;
    if (run->form.group != CK_GROUP_SPREAD) {
        run->kernels->quantize_row(x, run->inputs, run->form.group, run->form.order, &run->quantized, row);
        return;
    }
    float *spread = (float *)ck_worker_arena;
    for (size_t k = 0; k < run->inputs; k += CK_GROUP_SPREAD) {
        memcpy(spread + 2 * k, x + k, CK_GROUP_SPREAD * sizeof *x);
        memset(spread + 2 * k + CK_GROUP_SPREAD, 0, CK_GROUP_SPREAD * sizeof *x);
    }
    run->kernels->quantize_row(spread, 2 * run->inputs, CK_GROUP_MIN, run->form.order, &run->quantized, row);
}

static void round_item(void *context, size_t row) {
    product_run *run = context;
    run->kernels->round_row(run->x + row * run->inputs, run->inputs, run->halves + row * CK_PAIR_STRIDE(run->inputs));
}

static void order_item(void *context, size_t row) {
    product_run *run = context;
    run->kernels->order_row(run->x + row * run->inputs, run->inputs, ck_run_rounds(run),
                            run->ordered + row * run->float_stride);
}

// Inputs ordered at a time before they are packed: those of a tile's rows stay in the second-level cache.
#define PACKED_INPUTS ((size_t)2048)

static void pack_item(void *context, size_t tile) {
    product_run *run = context;
    const ck_kernels *kernels = run->kernels;
    size_t tiles = ck_tile_count(run->rows, kernels->tile_rows), start = ck_tile_start(run->rows, tiles, tile);
    size_t rows = ck_tile_start(run->rows, tiles, tile + 1) - start, n = run->inputs;
    size_t elements = ck_lane_elements(ck_run_panel_inputs(run)), lane_stride = run->rows * elements;
    const float *x = run->x + start * n;
    float *packed = run->packed + start * elements;
    if (run->form.kind == ROWS_AS_THEY_ARE) {
        kernels->pack_rows(x, n, rows, n, packed, lane_stride);
        return;
    }
    float *ordered = (float *)ck_worker_arena;
    for (size_t k = 0; k < n; k += PACKED_INPUTS) {
        size_t count = ck_min_size(PACKED_INPUTS, n - k), padded = ck_round_up(count, CK_PAIR_INPUTS);
        for (size_t r = 0; r < rows; r++) {
            kernels->order_row(x + r * n + k, count, ck_run_rounds(run), ordered + r * PACKED_INPUTS);
        }
        kernels->pack_rows(ordered, PACKED_INPUTS, rows, padded, packed + k / CK_LANES * rows, lane_stride);
    }
}

// Puts the chunk's rows into scratch as the form needs them.
void ck_prepare_rows(ck_pool *pool, product_run *run, void *scratch) {
    if (run->rows * run->inputs < POOLED_COST_MIN / 2) pool = NULL;
    if (run->form.kind == ROWS_IN_INT8) {
        ck_quantized_rows *to = &run->quantized;
        to->value_stride = value_stride(run->inputs, run->form.group);
        to->group_stride = group_stride(run->inputs, run->form.group);
        to->values = scratch;
        to->scales = (float *)(to->values + run->rows * to->value_stride);
        to->sums = to->scales + run->rows * to->group_stride;
        to->value_sums = (int32_t *)(to->sums + run->rows * to->group_stride);
        ck_pool_run(pool, run->rows, quantize_item, run);
    } else if (run->uses_halves) {
        run->halves = scratch;
        ck_pool_run(pool, run->rows, round_item, run);
    } else if (run->uses_panels) {
        run->packed = scratch;
        ck_pool_run(pool, ck_tile_count(run->rows, run->kernels->tile_rows), pack_item, run);
    } else if (run->form.kind == ROWS_IN_PAIRS) {
        run->ordered = scratch;
        run->floats = run->ordered;
        run->float_stride = ordered_stride(run->inputs);
        ck_pool_run(pool, run->rows, order_item, run);
    } else {
        run->floats = run->x;
        run->float_stride = run->inputs;
    }
}
