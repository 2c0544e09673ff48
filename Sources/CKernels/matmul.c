// Weight matrices × rows: prepares the rows once, then spreads the outputs of all products over the pool.
#include "kernels.h"
#include "panel.h"
#include "worker.h"

// Items a worker gets on average, so that one that was held up leaves its share to others.
#define ITEMS_PER_WORKER 4
// Least work of an item, in weight bytes read plus multiplications / 16: some 5 µs, ten times what handing it out
// costs.
#define ITEM_COST_MIN ((size_t)96 << 10)
// Outputs of an item are a multiple of this, so that strips stay whole.
#define OUTPUTS_STEP CK_PANEL_OUTPUTS_MAX

// What the rows must look like for a product.
typedef struct {
    bool is_quantized;
    size_t group;
    ck_order order;
} row_form;

typedef struct {
    const ck_kernels *kernels;
    const ck_product *products;
    size_t product_count;
    ck_activations activations;
    const float *x;
    size_t first_row;  // of this chunk, in the products' outputs
    size_t rows;
    size_t inputs;
    row_form form;
    bool uses_panels;
    ck_quantized_rows quantized;  // when the form is
    float *packed;                // packed rows when the form is not and panels are used
    bool uses_blocks;             // a few rows of float weights, block by block of inputs
    const float *block_rows;      // what dot_block takes, block_stride apart
    size_t block_stride;
    size_t item_outputs;
} product_run;

static row_form form_of(const ck_matrix *matrix, ck_activations activations) {
    if (matrix->format == CK_FORMAT_BF16) return (row_form){false, 0, CK_ORDER_EVEN_ODD};
    if (matrix->format != CK_FORMAT_AFFINE || activations == CK_ACTIVATIONS_F32) {
        return (row_form){false, 0, CK_ORDER_NATURAL};
    }
    return (row_form){true, matrix->group, matrix->bits == 4 ? CK_ORDER_EVEN_ODD : CK_ORDER_NATURAL};
}

static bool takes_part(const product_run *run, const ck_product *product) {
    row_form form = form_of(product->matrix, run->activations);
    return form.is_quantized == run->form.is_quantized && form.group == run->form.group &&
           form.order == run->form.order;
}

// ---------------------------------------------------------------------------------------------------------------------
// Scratch: rows as the form in turn needs them, then the caller's arena

static size_t group_stride(size_t inputs, size_t group) { return ck_round_up(inputs / group, CK_GROUP_BLOCK); }

// Groups smaller than kernels know are spread: each is followed by zeros up to CK_GROUP_MIN, in the rows and in the
// unpacked weights. Zeros change neither a group's largest magnitude nor its sums.
static size_t spread_group(size_t group) { return group < CK_GROUP_MIN ? CK_GROUP_MIN : group; }

// 64 bytes more than the values, so that rows of 4096 inputs do not all fall into the same cache sets.
static size_t value_stride(size_t inputs, size_t group) {
    return group_stride(inputs, group) * spread_group(group) + 64;
}

// The same of ordered rows, in floats.
static size_t ordered_stride(size_t inputs) { return ck_round_up(inputs, CK_LANES) + CK_LANES; }

static size_t prepared_bytes(size_t rows, size_t inputs) {
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

size_t ck_matmul_scratch_bytes(size_t rows, uint32_t inputs) { return prepared_bytes(rows, inputs) + CK_ARENA_BYTES; }

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

static void order_item(void *context, size_t row) {
    product_run *run = context;
    run->kernels->order_row(run->x + row * run->inputs, run->inputs, run->packed + row * run->block_stride);
}

static void pack_item(void *context, size_t tile) {
    product_run *run = context;
    run->kernels->pack_rows(run->x, run->rows, run->inputs, tile, run->packed);
}

// Puts the chunk's rows into scratch as the form needs them.
static void prepare_rows(ck_pool *pool, product_run *run, void *scratch) {
    if (run->rows * run->inputs < ITEM_COST_MIN) pool = NULL;
    if (run->form.is_quantized) {
        ck_quantized_rows *to = &run->quantized;
        to->value_stride = value_stride(run->inputs, run->form.group);
        to->group_stride = group_stride(run->inputs, run->form.group);
        to->values = scratch;
        to->scales = (float *)(to->values + run->rows * to->value_stride);
        to->sums = to->scales + run->rows * to->group_stride;
        to->value_sums = (int32_t *)(to->sums + run->rows * to->group_stride);
        ck_pool_run(pool, run->rows, quantize_item, run);
    } else if (run->uses_panels) {
        run->packed = scratch;
        ck_pool_run(pool, ck_tile_count(run->rows, run->kernels->tile_rows), pack_item, run);
    } else if (run->uses_blocks && run->form.order == CK_ORDER_EVEN_ODD && run->kernels->order_row != NULL) {
        run->packed = scratch;
        run->block_rows = run->packed;
        run->block_stride = ordered_stride(run->inputs);
        ck_pool_run(pool, run->rows, order_item, run);
    } else {
        run->block_rows = run->x;
        run->block_stride = run->inputs;
    }
}

// ---------------------------------------------------------------------------------------------------------------------
// A part of the outputs of a product, on one worker

static float *output_at(const product_run *run, const ck_product *product, size_t output) {
    return product->output + run->first_row * product->matrix->outputs + output;
}

static ck_float_type type_of_weights(const ck_matrix *matrix) {
    switch (matrix->format) {
    case CK_FORMAT_F16: return CK_F16;
    case CK_FORMAT_BF16: return CK_BF16;
    default: return CK_F32;
    }
}

static void dot_float(const product_run *run, ck_float_type type, const void *w, size_t outputs, float *y,
                      size_t y_stride) {
    const ck_kernels *kernels = run->kernels;
    size_t n = run->inputs;
    switch (type) {
    case CK_F32: kernels->dot_f32(w, n, outputs, run->x, n, run->rows, n, y, y_stride); break;
    case CK_F16: kernels->dot_f16(w, n, outputs, run->x, n, run->rows, n, y, y_stride); break;
    case CK_BF16: kernels->dot_bf16(w, n, outputs, run->x, n, run->rows, n, y, y_stride); break;
    }
}

// Weights multiplied block by block at a time: with those asked for meanwhile a part of a second-level cache, and few
// beside an item's, since nobody asked for its first.
#define BLOCK_WEIGHT_BYTES ((size_t)64 << 10)
#define BLOCK_OUTPUTS_STEP 4
_Static_assert(BLOCK_OUTPUTS_STEP * CK_PANEL_ROWS_MAX * CK_LANES * sizeof(float) <= CK_ARENA_BYTES, "");

// A few rows of many inputs, block by block: the rows' values of a block stay in the first-level cache while outputs
// pass, and the sums wait in the second. Memory is asked for the next outputs in the order in which they lie there: it
// sees one stream, and works while sums are formed.
static void multiply_float_blocks(const product_run *run, const ck_product *product, size_t first, size_t outputs) {
    const ck_kernels *kernels = run->kernels;
    const ck_matrix *matrix = product->matrix;
    const ck_float_type type = type_of_weights(matrix);
    const size_t n = run->inputs, row_bytes = ck_matrix_row_bytes(matrix);
    size_t most = ck_min_size(BLOCK_WEIGHT_BYTES / row_bytes, CK_ARENA_BYTES / (run->rows * CK_LANES * sizeof(float)));
    most = most / BLOCK_OUTPUTS_STEP * BLOCK_OUTPUTS_STEP;
    const size_t at_once = most == 0 ? BLOCK_OUTPUTS_STEP : most;
    float *sums = (float *)ck_worker_arena;
    for (size_t done = 0; done < outputs; done += at_once) {
        size_t count = ck_min_size(at_once, outputs - done), output = first + done;
        const uint8_t *w = ck_matrix_row(matrix, output), *next = w + count * row_bytes;
        for (size_t k = 0; k < n; k += kernels->block_inputs) {
            size_t inputs = ck_min_size(kernels->block_inputs, n - k), bytes = k * ck_float_bytes(type);
            kernels->dot_block(type, w + bytes, n, count, run->block_rows + k, run->block_stride, run->rows, inputs,
                               k == 0, output + count < matrix->outputs ? next + count * bytes : NULL, sums);
        }
        kernels->fold_block(type, sums, count, run->rows, output_at(run, product, output), matrix->outputs);
    }
}

// In float, weights dequantised into the arena if need be.
static void multiply_float(const product_run *run, const ck_product *product, size_t first, size_t outputs) {
    const ck_matrix *matrix = product->matrix;
    size_t n = run->inputs;
    if (ck_is_float(matrix) && run->uses_blocks) {
        multiply_float_blocks(run, product, first, outputs);
        return;
    }
    if (ck_is_float(matrix)) {
        dot_float(run, type_of_weights(matrix), ck_matrix_row(matrix, first), outputs, output_at(run, product, first),
                  matrix->outputs);
        return;
    }
    float *dequantized = (float *)ck_worker_arena;
    size_t at_once = CK_ARENA_BYTES / (n * sizeof(float));
    for (size_t done = 0; done < outputs; done += at_once) {
        size_t count = ck_min_size(at_once, outputs - done), output = first + done;
        for (size_t o = 0; o < count; o++) ck_dequantize(run->kernels, matrix, output + o, 0, n, dequantized + o * n);
        dot_float(run, CK_F32, dequantized, count, output_at(run, product, output), matrix->outputs);
    }
}

// What the arena holds while float panels are multiplied.
typedef struct {
    float panel[CK_PANEL_INPUTS_MAX * CK_PANEL_OUTPUTS_MAX + CK_LANES * CK_PANEL_PAD];
    float sums[CK_LANES * CK_PANEL_ROWS_MAX * CK_PANEL_OUTPUTS_MAX];
    float dequantized[CK_PANEL_INPUTS_MAX * CK_PANEL_OUTPUTS_MAX];
} panel_arena;
_Static_assert(sizeof(panel_arena) <= CK_ARENA_BYTES, "");

// Inputs k ..< k + count of outputs first ..< first + outputs, as a panel.
static void pack_panel(const product_run *run, const ck_matrix *matrix, size_t first, size_t outputs, size_t k,
                       size_t count, panel_arena *arena) {
    const ck_kernels *kernels = run->kernels;
    if (ck_is_float(matrix)) {
        ck_float_type type = type_of_weights(matrix);
        const uint8_t *w = ck_matrix_row(matrix, first) + k * ck_float_bytes(type);
        kernels->pack_weights(type, w, run->inputs, outputs, count, arena->panel);
        return;
    }
    for (size_t o = 0; o < outputs; o++) {
        ck_dequantize(kernels, matrix, first + o, k, count, arena->dequantized + o * count);
    }
    kernels->pack_weights(CK_F32, arena->dequantized, count, outputs, count, arena->panel);
}

// In float, by panels.
static void multiply_float_panels(const product_run *run, const ck_product *product, size_t first, size_t outputs) {
    const ck_kernels *kernels = run->kernels;
    const ck_matrix *matrix = product->matrix;
    panel_arena *arena = (panel_arena *)ck_worker_arena;
    const size_t n = run->inputs, elements = ck_lane_elements(n);
    const size_t at_once = run->rows <= CK_PANEL_FEW_ROWS ? CK_PANEL_INPUTS_FEW_ROWS : CK_PANEL_INPUTS_MAX;
    for (size_t done = 0; done < outputs; done += kernels->strip) {
        size_t count = ck_min_size(kernels->strip, outputs - done);
        for (size_t k = 0; k < n; k += at_once) {
            size_t inputs = ck_min_size(at_once, n - k);
            pack_panel(run, matrix, first + done, count, k, inputs, arena);
            size_t next_bytes = ck_matrix_row_bytes(matrix) * kernels->strip * inputs / n;
            const uint8_t *next = ck_matrix_row(matrix, first + done + kernels->strip);
            kernels->multiply_panel(arena->panel, run->packed, run->rows, elements, k / CK_LANES,
                                    ck_lane_elements(inputs), next + next_bytes * k / inputs, next_bytes, arena->sums);
        }
        kernels->fold_panel(arena->sums, run->rows, count, output_at(run, product, first + done), matrix->outputs);
    }
}

// 4-bit or 8-bit weights × quantised rows; `arena` has CK_AFFINE_ARENA_BYTES free.
static void multiply_affine(const product_run *run, const ck_matrix *matrix, size_t first, size_t outputs, float *y,
                            size_t y_stride, uint8_t *arena) {
    const ck_kernels *kernels = run->kernels;
    const ck_quantized_rows *x = &run->quantized;
    if (run->uses_panels) {
        for (size_t done = 0; done < outputs; done += kernels->strip) {
            size_t count = ck_min_size(kernels->strip, outputs - done);
            kernels->multiply_affine_panel(matrix, first + done, count, x, run->rows, arena, y + done, y_stride);
        }
    } else if (matrix->bits == 4) {
        kernels->dot_affine4(matrix, first, outputs, x, run->rows, y, y_stride);
    } else {
        kernels->dot_affine8(matrix, first, outputs, x, run->rows, y, y_stride);
    }
}

// `count` bytes from `from` on, which may be the second half of where they go, as groups of 16 and 16 zeros.
static void spread_bytes(const uint8_t *from, size_t count, uint8_t *to) {
    for (size_t k = 0; k < count; k += CK_GROUP_SPREAD) {
        uint8_t group[CK_GROUP_SPREAD];
        memcpy(group, from + k, sizeof group);
        memcpy(to + 2 * k, group, sizeof group);
        memset(to + 2 * k + CK_GROUP_SPREAD, 0, CK_GROUP_SPREAD);
    }
}

// Odd widths are unpacked to one byte an element in the arena, which then is a matrix of 8 bits.
static void multiply_unpacked(const product_run *run, const ck_product *product, size_t first, size_t outputs) {
    const ck_matrix *matrix = product->matrix;
    const bool is_spread = matrix->group == CK_GROUP_SPREAD;
    const size_t n = run->inputs, row_bytes = is_spread ? 2 * n : n;
    uint8_t *unpacked = ck_worker_arena + CK_AFFINE_ARENA_BYTES;
    // Kernels may read 64 bytes past a matrix.
    size_t at_once = ck_min_size(CK_PANEL_OUTPUTS_MAX, (CK_ARENA_BYTES - CK_AFFINE_ARENA_BYTES - 64) / row_bytes);
    for (size_t done = 0; done < outputs; done += at_once) {
        size_t count = ck_min_size(at_once, outputs - done), output = first + done;
        for (size_t o = 0; o < count; o++) {
            uint8_t *row = unpacked + o * row_bytes, *elements = row + row_bytes - n;
            run->kernels->unpack_bits(ck_matrix_row(matrix, output + o), matrix->bits, 0, n, elements);
            if (is_spread) spread_bytes(elements, n, row);
        }
        ck_matrix bytes = *matrix;
        bytes.bits = 8;
        bytes.inputs = (uint32_t)row_bytes;
        bytes.group = (uint32_t)spread_group(matrix->group);
        bytes.outputs = (uint32_t)count;
        bytes.weights = unpacked;
        bytes.scales = ck_scales_row(matrix, matrix->scales, output);
        bytes.biases = ck_scales_row(matrix, matrix->biases, output);
        multiply_affine(run, &bytes, 0, count, output_at(run, product, output), matrix->outputs, ck_worker_arena);
    }
}

static void multiply_outputs(const product_run *run, const ck_product *product, size_t first, size_t outputs) {
    const ck_matrix *matrix = product->matrix;
    float *y = output_at(run, product, first);
    if (!run->form.is_quantized) {
        if (run->uses_panels) {
            multiply_float_panels(run, product, first, outputs);
        } else {
            multiply_float(run, product, first, outputs);
        }
    } else if (matrix->bits == 4 || matrix->bits == 8) {
        multiply_affine(run, matrix, first, outputs, y, matrix->outputs, ck_worker_arena);
    } else {
        multiply_unpacked(run, product, first, outputs);
    }
    if (product->bias == NULL) return;
    for (size_t r = 0; r < run->rows; r++) {
        float *row = y + r * matrix->outputs;
        run->kernels->add(row, product->bias + first, outputs, row);
    }
}

// ---------------------------------------------------------------------------------------------------------------------
// Work over the pool

static size_t items_of(const product_run *run, const ck_product *product) {
    return (product->matrix->outputs + run->item_outputs - 1) / run->item_outputs;
}

static void multiply_item(void *context, size_t item) {
    const product_run *run = context;
    for (size_t p = 0; p < run->product_count; p++) {
        const ck_product *product = &run->products[p];
        if (!takes_part(run, product)) continue;
        size_t items = items_of(run, product);
        if (item < items) {
            size_t first = item * run->item_outputs;
            multiply_outputs(run, product, first, ck_min_size(run->item_outputs, product->matrix->outputs - first));
            return;
        }
        item -= items;
    }
}

// Runs all products of run->form.
static void run_form(ck_pool *pool, product_run *run, void *scratch) {
    prepare_rows(pool, run, scratch);
    size_t outputs = 0, cost = 0;
    for (size_t p = 0; p < run->product_count; p++) {
        const ck_matrix *matrix = run->products[p].matrix;
        if (!takes_part(run, &run->products[p])) continue;
        outputs += matrix->outputs;
        cost += matrix->outputs * (ck_matrix_row_bytes(matrix) + run->rows * run->inputs / 16);
    }
    size_t wanted = ck_min_size((size_t)ck_pool_threads(pool) * ITEMS_PER_WORKER, cost / ITEM_COST_MIN);
    if (wanted < 2) pool = NULL;
    if (wanted < 1) wanted = 1;
    run->item_outputs = ck_round_up((outputs + wanted - 1) / wanted, OUTPUTS_STEP);
    size_t items = 0;
    for (size_t p = 0; p < run->product_count; p++) {
        if (takes_part(run, &run->products[p])) items += items_of(run, &run->products[p]);
    }
    ck_pool_run(pool, items, multiply_item, run);
}

static void run_chunk(ck_pool *pool, product_run *run, void *scratch) {
    const ck_kernels *kernels = run->kernels;
    for (size_t p = 0; p < run->product_count; p++) {
        run->form = form_of(run->products[p].matrix, run->activations);
        bool is_done = false;
        for (size_t earlier = 0; earlier < p && !is_done; earlier++) is_done = takes_part(run, &run->products[earlier]);
        if (is_done) continue;
        size_t rows_min = run->form.is_quantized ? kernels->affine_panel_rows_min : kernels->panel_rows_min;
        run->uses_panels = kernels->strip > 0 && run->rows >= rows_min;
        run->uses_blocks = kernels->dot_block != NULL && run->rows > 1 && !run->uses_panels;
        run_form(pool, run, scratch);
    }
}

void ck_matmul(ck_pool *pool, const ck_product *products, size_t product_count, const float *x, size_t rows,
               ck_activations activations, void *scratch) {
    if (product_count == 0 || rows == 0) return;
    size_t inputs = products[0].matrix->inputs;
    uint8_t *arena_before = ck_worker_arena;
    ck_worker_arena = (uint8_t *)scratch + prepared_bytes(rows, inputs);
    product_run run = {.kernels = ck_kernels_current(), .products = products, .product_count = product_count,
                       .activations = activations, .inputs = inputs};
    size_t chunks = ck_tile_count(rows, CK_PANEL_ROWS_MAX);
    for (size_t chunk = 0; chunk < chunks; chunk++) {
        run.first_row = ck_tile_start(rows, chunks, chunk);
        run.rows = ck_tile_start(rows, chunks, chunk + 1) - run.first_row;
        run.x = x + run.first_row * inputs;
        run_chunk(pool, &run, scratch);
    }
    ck_worker_arena = arena_before;
}
