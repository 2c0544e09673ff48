// Weight matrices × rows: prepares the rows once, then spreads the outputs of all products over the pool.
#include "kernels.h"
#include "worker.h"

// Items a worker gets on average, so that one that was held up leaves its share to others.
#define ITEMS_PER_WORKER 4
// Least work of an item, in weight bytes read plus multiplications / 16: some 5 µs, ten times what handing it out costs.
#define ITEM_COST_MIN ((size_t)96 << 10)
// Outputs of an item are a multiple of this, so that tiles stay whole.
#define OUTPUTS_STEP 32

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
    const float *x;
    size_t rows;
    size_t inputs;
    row_form form;
    ck_quantized_rows quantized;
    size_t item_outputs;
} product_run;

static row_form form_of(const ck_matrix *matrix, ck_activations activations) {
    if (matrix->format != CK_FORMAT_AFFINE || activations == CK_ACTIVATIONS_F32) return (row_form){false, 0, 0};
    return (row_form){true, matrix->group, matrix->bits == 4 ? CK_ORDER_EVEN_ODD : CK_ORDER_NATURAL};
}

static bool is_same_form(row_form a, row_form b) {
    return a.is_quantized == b.is_quantized && a.group == b.group && a.order == b.order;
}

// Scratch: quantised values, then scales, sums and value sums with the smallest group, then the caller's arena.
static size_t value_stride(size_t inputs) { return ck_round_up(inputs, CK_GROUP_MAX); }

static size_t group_stride(size_t inputs, size_t group) { return ck_round_up(inputs / group, CK_GROUP_LANES); }

size_t ck_matmul_scratch_bytes(size_t rows, uint32_t inputs) {
    size_t groups = group_stride(ck_round_up(inputs, CK_GROUP_MIN), CK_GROUP_MIN);
    return rows * value_stride(inputs) + ck_round_up(rows * groups * 3 * sizeof(float), 64) + CK_ARENA_BYTES;
}

static void place_quantized_rows(product_run *run, void *scratch) {
    size_t values = value_stride(run->inputs), groups = group_stride(run->inputs, run->form.group);
    ck_quantized_rows *to = &run->quantized;
    to->value_stride = values;
    to->group_stride = groups;
    to->values = scratch;
    to->scales = (float *)(to->values + run->rows * values);
    to->sums = to->scales + run->rows * groups;
    to->value_sums = (int32_t *)(to->sums + run->rows * groups);
}

static void quantize_item(void *context, size_t row) {
    product_run *run = context;
    run->kernels->quantize_row(run->x + row * run->inputs, run->inputs, run->form.group, run->form.order,
                               &run->quantized, row);
}

// y[:, first …] = outputs first ..< first + outputs of a product in float, weights dequantised into the arena if need be.
static void multiply_float(const product_run *run, const ck_product *product, size_t first, size_t outputs) {
    const ck_kernels *kernels = run->kernels;
    const ck_matrix *matrix = product->matrix;
    size_t n = run->inputs, y_stride = matrix->outputs;
    float *y = product->output + first;
    const void *weights = ck_matrix_row(matrix, first);
    switch (matrix->format) {
    case CK_FORMAT_F32: kernels->dot_f32(weights, n, outputs, run->x, n, run->rows, n, y, y_stride); return;
    case CK_FORMAT_F16: kernels->dot_f16(weights, n, outputs, run->x, n, run->rows, n, y, y_stride); return;
    case CK_FORMAT_BF16: kernels->dot_bf16(weights, n, outputs, run->x, n, run->rows, n, y, y_stride); return;
    case CK_FORMAT_AFFINE: break;
    }
    float *dequantized = (float *)ck_worker_arena;
    size_t at_once = CK_ARENA_BYTES / (n * sizeof(float));
    for (size_t done = 0; done < outputs; done += at_once) {
        size_t count = ck_min_size(at_once, outputs - done);
        for (size_t o = 0; o < count; o++) kernels->dequantize_row(matrix, first + done + o, dequantized + o * n);
        kernels->dot_f32(dequantized, n, count, run->x, n, run->rows, n, y + done, y_stride);
    }
}

// Odd widths are unpacked to one byte an element in the arena, which then is a matrix of 8 bits.
static void multiply_unpacked(const product_run *run, const ck_product *product, size_t first, size_t outputs) {
    const ck_matrix *matrix = product->matrix;
    size_t n = run->inputs;
    // Kernels read whole vectors past a row's end, hence the 64 bytes of room.
    size_t at_once = (CK_ARENA_BYTES - 64) / n;
    for (size_t done = 0; done < outputs; done += at_once) {
        size_t count = ck_min_size(at_once, outputs - done), output = first + done;
        for (size_t o = 0; o < count; o++) {
            ck_unpack_bits(ck_matrix_row(matrix, output + o), matrix->bits, 0, n, ck_worker_arena + o * n);
        }
        ck_matrix bytes = *matrix;
        bytes.bits = 8;
        bytes.weights = ck_worker_arena;
        bytes.scales = ck_scales_row(matrix, matrix->scales, output);
        bytes.biases = ck_scales_row(matrix, matrix->biases, output);
        bytes.outputs = (uint32_t)count;
        run->kernels->dot_affine8(&bytes, 0, count, &run->quantized, run->rows, product->output + output,
                                  matrix->outputs);
    }
}

static void multiply_outputs(const product_run *run, const ck_product *product, size_t first, size_t outputs) {
    const ck_matrix *matrix = product->matrix;
    float *y = product->output + first;
    if (!run->form.is_quantized) {
        multiply_float(run, product, first, outputs);
    } else if (matrix->bits == 4) {
        run->kernels->dot_affine4(matrix, first, outputs, &run->quantized, run->rows, y, matrix->outputs);
    } else if (matrix->bits == 8) {
        run->kernels->dot_affine8(matrix, first, outputs, &run->quantized, run->rows, y, matrix->outputs);
    } else {
        multiply_unpacked(run, product, first, outputs);
    }
    if (product->bias == NULL) return;
    for (size_t r = 0; r < run->rows; r++) {
        float *row = y + r * matrix->outputs;
        run->kernels->add(row, product->bias + first, outputs, row);
    }
}

static bool takes_part(const product_run *run, const ck_product *product, ck_activations activations) {
    return is_same_form(form_of(product->matrix, activations), run->form);
}

typedef struct {
    product_run *run;
    ck_activations activations;
} item_context;

static void multiply_item(void *context, size_t item) {
    const item_context *of = context;
    product_run *run = of->run;
    for (size_t p = 0; p < run->product_count; p++) {
        const ck_product *product = &run->products[p];
        if (!takes_part(run, product, of->activations)) continue;
        size_t items = (product->matrix->outputs + run->item_outputs - 1) / run->item_outputs;
        if (item < items) {
            size_t first = item * run->item_outputs;
            multiply_outputs(run, product, first, ck_min_size(run->item_outputs, product->matrix->outputs - first));
            return;
        }
        item -= items;
    }
}

// Runs all products of run->form.
static void run_form(ck_pool *pool, product_run *run, ck_activations activations, void *scratch) {
    if (run->form.is_quantized) {
        place_quantized_rows(run, scratch);
        bool is_small = run->rows * run->inputs < ITEM_COST_MIN;
        ck_pool_run(is_small ? NULL : pool, run->rows, quantize_item, run);
    }
    size_t outputs = 0, cost = 0;
    for (size_t p = 0; p < run->product_count; p++) {
        const ck_matrix *matrix = run->products[p].matrix;
        if (!takes_part(run, &run->products[p], activations)) continue;
        outputs += matrix->outputs;
        cost += matrix->outputs * (ck_matrix_row_bytes(matrix) + run->rows * run->inputs / 16);
    }
    size_t items = ck_min_size((size_t)ck_pool_threads(pool) * ITEMS_PER_WORKER, cost / ITEM_COST_MIN);
    if (items < 1) items = 1;
    run->item_outputs = ck_round_up((outputs + items - 1) / items, OUTPUTS_STEP);
    items = 0;
    for (size_t p = 0; p < run->product_count; p++) {
        const ck_product *product = &run->products[p];
        if (!takes_part(run, product, activations)) continue;
        items += (product->matrix->outputs + run->item_outputs - 1) / run->item_outputs;
    }
    item_context context = {run, activations};
    ck_pool_run(cost < 2 * ITEM_COST_MIN ? NULL : pool, items, multiply_item, &context);
}

void ck_matmul(ck_pool *pool, const ck_product *products, size_t product_count, const float *x, size_t rows,
               ck_activations activations, void *scratch) {
    if (product_count == 0 || rows == 0) return;
    product_run run = {
        .kernels = ck_kernels_current(),
        .products = products,
        .product_count = product_count,
        .x = x,
        .rows = rows,
        .inputs = products[0].matrix->inputs,
    };
    uint8_t *arena_before = ck_worker_arena;
    ck_worker_arena = (uint8_t *)scratch + ck_matmul_scratch_bytes(rows, products[0].matrix->inputs) - CK_ARENA_BYTES;
    for (size_t p = 0; p < product_count; p++) {
        run.form = form_of(products[p].matrix, activations);
        bool is_done = false;
        for (size_t earlier = 0; earlier < p && !is_done; earlier++) {
            is_done = takes_part(&run, &products[earlier], activations);
        }
        if (!is_done) run_form(pool, &run, activations, scratch);
    }
    ck_worker_arena = arena_before;
}
