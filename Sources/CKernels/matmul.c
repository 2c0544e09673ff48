// Weight matrices × rows: has the rows prepared once, then spreads the outputs of all products over the pool.
#include "coded.h"
#include "kernels.h"
#include "panel.h"
#include "product.h"
#include "worker.h"

// Work of an item, in weight bytes read plus multiplications / 16: some 2 µs, thirty times what taking one costs. At
// the end of a product workers wait for each other about half of that.
#define ITEM_COST ((size_t)48 << 10)
// Outputs of an item are a multiple of this, so that strips stay whole.
#define OUTPUTS_STEP CK_PANEL_OUTPUTS_MAX

static row_form form_of(const ck_matrix *matrix, ck_activations activations) {
    if (matrix->format == CK_FORMAT_BF16) return (row_form){.kind = ROWS_IN_PAIRS};
    if (matrix->format == CK_FORMAT_MXFP4 && activations == CK_ACTIVATIONS_ROUNDED) {
        return (row_form){ROWS_IN_INT8, CK_MXFP4_GROUP, CK_ORDER_NATURAL};
    }
    if (matrix->format != CK_FORMAT_AFFINE || activations == CK_ACTIVATIONS_F32) {
        return (row_form){.kind = ROWS_AS_THEY_ARE};
    }
    return (row_form){ROWS_IN_INT8, matrix->group, matrix->bits == 4 ? CK_ORDER_EVEN_ODD : CK_ORDER_NATURAL};
}

static bool takes_part(const product_run *run, const ck_product *product) {
    row_form form = form_of(product->matrix, run->activations);
    return form.kind == run->form.kind && form.group == run->form.group && form.order == run->form.order;
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
    const float *x = run->floats;
    size_t n = run->inputs, x_stride = run->float_stride;
    switch (type) {
    case CK_F32: kernels->dot_f32(w, n, outputs, x, x_stride, run->rows, n, y, y_stride); break;
    case CK_F16: kernels->dot_f16(w, n, outputs, x, x_stride, run->rows, n, y, y_stride); break;
    case CK_BF16: kernels->dot_bf16(w, n, outputs, x, x_stride, run->rows, n, y, y_stride); break;
    }
}

// Weights multiplied at a time where the next ones are asked for meanwhile: with those a part of a second-level cache,
// and few beside an item's, since nobody asked for its first.
#define BLOCK_WEIGHT_BYTES ((size_t)64 << 10)
#define BLOCK_OUTPUTS_STEP 4
// From so many rows on bf16 weights are cleaned once, not for each tile of rows.
#define CLEAN_ROWS_MIN 9
#define CLEAN_HALVES_ROWS_MIN 7

static size_t clean_bytes(size_t outputs, size_t n) { return outputs * CK_PAIR_STRIDE(n) * sizeof(uint16_t); }

#define CLEAN_BYTES_MAX (BLOCK_OUTPUTS_STEP * sizeof(uint16_t) * CK_PAIR_STRIDE(CK_INPUTS_MAX))
#define BLOCK_SUM_BYTES_MAX (BLOCK_OUTPUTS_STEP * CK_PANEL_ROWS_MAX * CK_LANES * sizeof(float))
_Static_assert(CLEAN_BYTES_MAX + BLOCK_SUM_BYTES_MAX <= CK_ARENA_BYTES, "");

// Outputs multiplied at a time, sums of `sum_bytes` each waiting in the arena.
static size_t block_outputs(size_t row_bytes, size_t sum_bytes) {
    size_t most = BLOCK_WEIGHT_BYTES / row_bytes;
    if (sum_bytes > 0) most = ck_min_size(most, CK_ARENA_BYTES / 2 / sum_bytes);
    most = most / BLOCK_OUTPUTS_STEP * BLOCK_OUTPUTS_STEP;
    return most == 0 ? BLOCK_OUTPUTS_STEP : most;
}

// A few rows of many inputs, block by block: the rows' values of a block stay in the first-level cache while outputs
// pass, and the sums wait in the second. Memory is asked for the next outputs in the order in which they lie there: it
// sees one stream, and works while sums are formed.
static void multiply_float_blocks(const product_run *run, const ck_product *product, size_t first, size_t outputs) {
    const ck_kernels *kernels = run->kernels;
    const ck_matrix *matrix = product->matrix;
    const ck_float_type type = type_of_weights(matrix);
    const size_t n = run->inputs, row_bytes = ck_matrix_row_bytes(matrix), element = ck_float_bytes(type);
    const size_t at_once = block_outputs(row_bytes, run->rows * CK_LANES * sizeof(float));
    const bool clean = type == CK_BF16 && run->rows >= CLEAN_ROWS_MIN;
    const size_t stride = clean ? CK_PAIR_STRIDE(n) : n;
    uint16_t *cleaned = (uint16_t *)ck_worker_arena;
    float *sums = (float *)(ck_worker_arena + (clean ? clean_bytes(at_once, n) : 0));
    for (size_t done = 0; done < outputs; done += at_once) {
        size_t count = ck_min_size(at_once, outputs - done), output = first + done;
        const uint8_t *w = ck_matrix_row(matrix, output), *next = w + count * row_bytes;
        if (clean) {
            kernels->clean_weights((const uint16_t *)w, count, n, cleaned);
            w = (const uint8_t *)cleaned;
        }
        for (size_t k = 0; k < n; k += kernels->block_inputs) {
            size_t inputs = ck_min_size(kernels->block_inputs, n - k);
            kernels->dot_block(type, clean, w + k * element, stride, count, run->floats + k, run->float_stride,
                               run->rows, inputs, k == 0,
                               output + count < matrix->outputs ? next + count * k * element : NULL, sums);
        }
        kernels->fold_block(type, sums, count, run->rows, output_at(run, product, output), matrix->outputs);
    }
}

// bf16 weights × rows of bf16.
static void multiply_halves(const product_run *run, const ck_product *product, size_t first, size_t outputs) {
    const ck_kernels *kernels = run->kernels;
    const ck_matrix *matrix = product->matrix;
    const size_t n = run->inputs, row_bytes = ck_matrix_row_bytes(matrix);
    const bool clean = run->rows >= CLEAN_HALVES_ROWS_MIN;
    const size_t at_once = clean ? block_outputs(row_bytes, 0) : outputs;
    uint16_t *cleaned = (uint16_t *)ck_worker_arena;
    for (size_t done = 0; done < outputs; done += at_once) {
        size_t count = ck_min_size(at_once, outputs - done), output = first + done;
        const uint16_t *w = (const uint16_t *)ck_matrix_row(matrix, output);
        const uint8_t *next = (const uint8_t *)w + count * row_bytes;
        if (clean) {
            kernels->clean_weights(w, count, n, cleaned);
            w = cleaned;
        }
        kernels->multiply_pairs(clean, w, count, run->halves, CK_PAIR_STRIDE(n), run->rows, n,
                                output + count < matrix->outputs ? next : NULL, output_at(run, product, output),
                                matrix->outputs);
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
    const size_t n = run->inputs, elements = ck_lane_elements(ck_run_panel_inputs(run));
    const size_t at_once = run->rows <= CK_PANEL_FEW_ROWS ? CK_PANEL_INPUTS_FEW_ROWS : CK_PANEL_INPUTS_MAX;
    for (size_t done = 0; done < outputs; done += kernels->strip) {
        size_t count = ck_min_size(kernels->strip, outputs - done);
        for (size_t k = 0; k < n; k += at_once) {
            size_t inputs = ck_min_size(at_once, n - k), padded = ck_min_size(at_once, ck_run_panel_inputs(run) - k);
            pack_panel(run, matrix, first + done, count, k, inputs, arena);
            size_t next_bytes = ck_matrix_row_bytes(matrix) * kernels->strip * inputs / n;
            const uint8_t *next = ck_matrix_row(matrix, first + done + kernels->strip);
            kernels->multiply_panel(arena->panel, run->packed, run->rows, elements, k / CK_LANES,
                                    ck_lane_elements(padded), next + next_bytes * k / inputs, next_bytes, arena->sums);
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
        bytes.group = (uint32_t)ck_spread_group(matrix->group);
        bytes.outputs = (uint32_t)count;
        bytes.weights = unpacked;
        bytes.scales = ck_scales_row(matrix, matrix->scales, output);
        bytes.biases = ck_scales_row(matrix, matrix->biases, output);
        multiply_affine(run, &bytes, 0, count, output_at(run, product, output), matrix->outputs, ck_worker_arena);
    }
}

// MXFP4 elements are multiples of a half within −6 … 6: an affine matrix of 8 bits with half the scale and −12 times
// that as bias, made in the arena.
static void multiply_mxfp4(const product_run *run, const ck_product *product, size_t first, size_t outputs) {
    const ck_matrix *matrix = product->matrix;
    const size_t n = run->inputs, groups = n / CK_MXFP4_GROUP, past = 64;
    uint8_t *arena = ck_worker_arena + CK_AFFINE_ARENA_BYTES;
    const size_t each = n + 2 * groups * sizeof(float), free = CK_ARENA_BYTES - CK_AFFINE_ARENA_BYTES - 6 * past;
    const size_t at_once = ck_min_size(CK_PANEL_OUTPUTS_MAX, free / each);
    for (size_t done = 0; done < outputs; done += at_once) {
        const size_t count = ck_min_size(at_once, outputs - done), output = first + done;
        float *scales = (float *)(arena + ck_round_up(count * n + past, 64));
        float *biases = scales + ck_round_up(count * groups * sizeof(float) + past, 64) / sizeof(float);
        for (size_t o = 0; o < count; o++) {
            const uint8_t *codes = (const uint8_t *)matrix->scales + (output + o) * groups;
            run->kernels->unpack_bits(ck_matrix_row(matrix, output + o), 4, 0, n, arena + o * n);
            ck_level_e2m1(arena + o * n, n);
            for (size_t g = 0; g < groups; g++) {
                const float half = ck_float_from_e8m0(codes[g]) * 0.5f;
                scales[o * groups + g] = half;
                biases[o * groups + g] = -(float)CK_E2M1_MIDDLE * half;
            }
        }
        ck_matrix bytes = {.format = CK_FORMAT_AFFINE, .outputs = (uint32_t)count, .inputs = matrix->inputs,
                           .weights = arena, .bits = 8, .group = CK_MXFP4_GROUP, .scale_type = CK_F32,
                           .scales = scales, .biases = biases};
        multiply_affine(run, &bytes, 0, count, output_at(run, product, output), matrix->outputs, ck_worker_arena);
    }
}

static void multiply_outputs(const product_run *run, const ck_product *product, size_t first, size_t outputs) {
    const ck_matrix *matrix = product->matrix;
    float *y = output_at(run, product, first);
    if (run->uses_halves) {
        multiply_halves(run, product, first, outputs);
    } else if (run->form.kind != ROWS_IN_INT8) {
        if (run->uses_panels) {
            multiply_float_panels(run, product, first, outputs);
        } else {
            multiply_float(run, product, first, outputs);
        }
    } else if (matrix->format == CK_FORMAT_MXFP4) {
        multiply_mxfp4(run, product, first, outputs);
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
    ck_prepare_rows(pool, run, scratch);
    size_t outputs = 0, cost = 0;
    for (size_t p = 0; p < run->product_count; p++) {
        const ck_matrix *matrix = run->products[p].matrix;
        if (!takes_part(run, &run->products[p])) continue;
        outputs += matrix->outputs;
        cost += matrix->outputs * (ck_matrix_row_bytes(matrix) + run->rows * run->inputs / 16);
    }
    if (cost < POOLED_COST_MIN) pool = NULL;
    size_t item_outputs = ck_pool_threads(pool) == 1 ? outputs : ITEM_COST * outputs / cost;
    run->item_outputs = ck_round_up(item_outputs == 0 ? 1 : item_outputs, OUTPUTS_STEP);
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
        bool is_int8 = run->form.kind == ROWS_IN_INT8;
        size_t rows_min = is_int8 ? kernels->affine_panel_rows_min : kernels->panel_rows_min;
        run->uses_halves = run->form.kind == ROWS_IN_PAIRS && ck_run_rounds(run) && kernels->multiply_pairs != NULL;
        run->uses_panels = kernels->strip > 0 && run->rows >= rows_min && !run->uses_halves;
        run->uses_blocks = kernels->dot_block != NULL && run->rows > 1 && !run->uses_panels;
        run_form(pool, run, scratch);
    }
}

size_t ck_matmul_scratch_bytes(size_t rows, uint32_t inputs) {
    return ck_prepared_bytes(rows, inputs) + CK_ARENA_BYTES;
}

void ck_matmul(ck_pool *pool, const ck_product *products, size_t product_count, const float *x, size_t rows,
               ck_activations activations, void *scratch) {
    if (product_count == 0 || rows == 0) return;
    size_t inputs = products[0].matrix->inputs;
    uint8_t *arena_before = ck_worker_arena;
    ck_worker_arena = (uint8_t *)scratch + ck_prepared_bytes(rows, inputs);
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
