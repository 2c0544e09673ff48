// A product of weight matrices with rows while it is computed, and the rows as it needs them.
#ifndef CK_PRODUCT_H
#define CK_PRODUCT_H

#include "kernels.h"

// Less work than this is not worth waking others for.
#define POOLED_COST_MIN ((size_t)192 << 10)

// What the rows must look like for a product.
typedef enum {
    ROWS_AS_THEY_ARE,  // or packed for panels
    ROWS_IN_PAIRS,     // beside bf16 weights: ordered rows, packed or not, or rows of bf16
    ROWS_IN_INT8,
} row_kind;

typedef struct {
    row_kind kind;
    // Of rows in int8.
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
    bool uses_blocks;             // a few rows of float weights, block by block of inputs
    bool uses_halves;             // rows of bf16 beside bf16 weights
    ck_quantized_rows quantized;  // rows in int8
    float *packed;                // rows packed for panels of floats
    const float *floats;          // rows for other float products, float_stride apart
    size_t float_stride;
    float *ordered;               // the same where they are ordered
    uint16_t *halves;             // rows of bf16, CK_PAIR_STRIDE apart
    size_t item_outputs;
} product_run;

// Whether activations are rounded.
static inline bool ck_run_rounds(const product_run *run) { return run->activations != CK_ACTIVATIONS_F32; }

// Inputs of a row as panels take them.
static inline size_t ck_run_panel_inputs(const product_run *run) {
    return run->form.kind == ROWS_IN_PAIRS ? ck_round_up(run->inputs, CK_PAIR_INPUTS) : run->inputs;
}

// Groups smaller than kernels know are spread: each is followed by zeros up to CK_GROUP_MIN, in the rows and in the
// unpacked weights. Zeros change neither a group's largest magnitude nor its sums.
static inline size_t ck_spread_group(size_t group) { return group < CK_GROUP_MIN ? CK_GROUP_MIN : group; }

// Bytes of scratch for so many rows of whatever form, at most CK_PANEL_ROWS_MAX at a time.
size_t ck_prepared_bytes(size_t rows, size_t inputs);

// Puts the rows of the run into scratch as its form needs them.
void ck_prepare_rows(ck_pool *pool, product_run *run, void *scratch);

#endif
