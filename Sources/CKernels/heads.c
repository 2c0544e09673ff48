// Products of each head's own part of a matrix: how latent attention comes from queries to latents and from latents to
// values.
#include "kernels.h"
#include "panel.h"
#include "worker.h"

// Rows whose sums are formed together, in float32 beside the weights of a block.
#define ROWS_MAX 32
// Outputs whose weights are widened at a time; those of the transpose are what attention_values takes as tokens.
#define OUTPUTS_MAX CK_KV_BLOCK_TOKENS

typedef struct {
    const ck_kernels *kernels;
    ck_head_matrix heads;
    const float *x;
    size_t x_columns, rows;
    float *y;
    size_t y_columns;
} head_run;

// What one thread works with.
typedef struct {
    float weights[OUTPUTS_MAX * CK_HEAD_INPUTS_MAX];
    float p[ROWS_MAX * CK_KV_BLOCK_TOKENS];
    float sums[ROWS_MAX * CK_HEAD_INPUTS_MAX];
} head_arena;

_Static_assert(sizeof(head_arena) <= CK_ARENA_BYTES, "a worker's arena holds it");

// `outputs` rows of a matrix as float32.
static void widen(const head_run *run, size_t output, size_t outputs, float *to) {
    const ck_matrix *matrix = run->heads.matrix;
    const size_t n = matrix->inputs;
    const void *from = ck_matrix_row(matrix, output);
    switch (matrix->format) {
    case CK_FORMAT_F32: memcpy(to, from, outputs * n * sizeof *to); break;
    case CK_FORMAT_F16: run->kernels->f32_from_f16(from, outputs * n, to); break;
    case CK_FORMAT_BF16: run->kernels->f32_from_bf16(from, outputs * n, to); break;
    default:
        for (size_t o = 0; o < outputs; o++) ck_dequantize(run->kernels, matrix, output + o, 0, n, to + o * n);
    }
}

static void dot(const head_run *run, size_t output, size_t outputs, head_arena *arena, const float *x, size_t rows,
                float *y) {
    const ck_matrix *matrix = run->heads.matrix;
    const size_t n = matrix->inputs, x_stride = run->heads.heads * run->x_columns;
    const size_t y_stride = run->heads.heads * run->y_columns;
    const void *w = ck_matrix_row(matrix, output);
    switch (matrix->format) {
    case CK_FORMAT_F32: run->kernels->dot_f32(w, n, outputs, x, x_stride, rows, n, y, y_stride); break;
    case CK_FORMAT_F16: run->kernels->dot_f16(w, n, outputs, x, x_stride, rows, n, y, y_stride); break;
    case CK_FORMAT_BF16: run->kernels->dot_bf16(w, n, outputs, x, x_stride, rows, n, y, y_stride); break;
    default:
        widen(run, output, outputs, arena->weights);
        run->kernels->dot_f32(arena->weights, n, outputs, x, x_stride, rows, n, y, y_stride);
    }
}

static void multiply(const head_run *run, size_t head, size_t first_row, size_t rows, head_arena *arena) {
    const ck_head_matrix *heads = &run->heads;
    const size_t first = head * heads->head_outputs + heads->first_output;
    const float *x = run->x + (first_row * heads->heads + head) * run->x_columns;
    float *y = run->y + (first_row * heads->heads + head) * run->y_columns;
    for (size_t o = 0; o < heads->outputs; o += OUTPUTS_MAX) {
        dot(run, first + o, ck_min_size(OUTPUTS_MAX, heads->outputs - o), arena, x, rows, y + o);
    }
}

// Each sum goes over the outputs in their order, fused, as attention goes over tokens.
static void multiply_transposed(const head_run *run, size_t head, size_t first_row, size_t rows, head_arena *arena) {
    const ck_head_matrix *heads = &run->heads;
    const size_t n = heads->matrix->inputs, first = head * heads->head_outputs + heads->first_output;
    float factors[ROWS_MAX];
    for (size_t r = 0; r < rows; r++) factors[r] = 1;
    memset(arena->sums, 0, rows * n * sizeof *arena->sums);
    for (size_t o = 0; o < heads->outputs; o += OUTPUTS_MAX) {
        const size_t outputs = ck_min_size(OUTPUTS_MAX, heads->outputs - o);
        widen(run, first + o, outputs, arena->weights);
        for (size_t r = 0; r < rows; r++) {
            const float *x = run->x + ((first_row + r) * heads->heads + head) * run->x_columns + o;
            memcpy(arena->p + r * CK_KV_BLOCK_TOKENS, x, outputs * sizeof *x);
        }
        run->kernels->attention_values(CK_CACHE_F32, arena->p, arena->weights, outputs, n, n, rows, factors, NULL,
                                       arena->sums);
    }
    for (size_t r = 0; r < rows; r++) {
        float *y = run->y + ((first_row + r) * heads->heads + head) * run->y_columns;
        memcpy(y, arena->sums + r * n, n * sizeof *y);
    }
}

static void head_item(void *context, size_t item) {
    const head_run *run = context;
    head_arena *arena = (head_arena *)ck_worker_arena;
    const size_t most = run->heads.transposed ? ROWS_MAX : CK_PANEL_ROWS_MAX;
    for (size_t row = 0; row < run->rows; row += most) {
        const size_t rows = ck_min_size(most, run->rows - row);
        if (run->heads.transposed) {
            multiply_transposed(run, item, row, rows, arena);
        } else {
            multiply(run, item, row, rows, arena);
        }
    }
}

size_t ck_multiply_heads_scratch_bytes(void) { return sizeof(head_arena); }

void ck_multiply_heads(ck_pool *pool, const ck_head_matrix *matrix, const float *x, size_t x_columns, size_t rows,
                       float *y, size_t y_columns, void *scratch) {
    head_run run = {ck_kernels_current(), *matrix, x, x_columns, rows, y, y_columns};
    uint8_t *arena_before = ck_worker_arena;
    ck_worker_arena = scratch;
    ck_pool_run(pool, matrix->heads, head_item, &run);
    ck_worker_arena = arena_before;
}
