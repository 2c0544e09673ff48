// One matrix product of each kind that a model spends its time in, chosen by name, for an instruction counter.
//
// Instructions are counted within `counted` alone: what comes before and after is preparation. Run with RING_ISA=avx2:
// the counter knows no AVX-512.
#include "ckernels.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// Wide enough that a product's own loops are nearly all of it, small enough that counting takes no time.
#define INPUTS 1024
#define OUTPUTS 256

typedef struct {
    const char *name;
    ck_format format;
    uint32_t bits;
    size_t rows;
} product;

// A decode step, a batch of eight streams, a prompt's chunk.
static const product products[] = {
    {"4-bit, 1 row", CK_FORMAT_AFFINE, 4, 1},   {"4-bit, 8 rows", CK_FORMAT_AFFINE, 4, 8},
    {"4-bit, 64 rows", CK_FORMAT_AFFINE, 4, 64}, {"8-bit, 1 row", CK_FORMAT_AFFINE, 8, 1},
    {"8-bit, 8 rows", CK_FORMAT_AFFINE, 8, 8},   {"8-bit, 64 rows", CK_FORMAT_AFFINE, 8, 64},
    {"6-bit, 1 row", CK_FORMAT_AFFINE, 6, 1},    {"bf16, 1 row", CK_FORMAT_BF16, 16, 1},
    {"bf16, 8 rows", CK_FORMAT_BF16, 16, 8},     {"bf16, 64 rows", CK_FORMAT_BF16, 16, 64},
    {"f16, 1 row", CK_FORMAT_F16, 16, 1},        {"f16, 8 rows", CK_FORMAT_F16, 16, 8},
};
#define PRODUCT_COUNT (sizeof products / sizeof *products)

// Not inlined, so that the counter finds it.
__attribute__((noinline)) void counted(const ck_product *one, const float *x, size_t rows, void *scratch) {
    ck_matmul(NULL, one, 1, x, rows, CK_ACTIVATIONS_ROUNDED, scratch);
}

static void *zeros(size_t bytes) {
    size_t rounded = (bytes + 127) / 64 * 64;  // kernels may read 64 bytes past a matrix
    void *memory = aligned_alloc(64, rounded);
    if (memory == NULL) {
        fprintf(stderr, "no memory for %zu bytes\n", rounded);
        exit(1);
    }
    return memset(memory, 0, rounded);
}

static void multiply(const product *wanted) {
    ck_matrix matrix = {.format = wanted->format, .outputs = OUTPUTS, .inputs = INPUTS, .bits = wanted->bits,
                        .group = 64, .scale_type = CK_BF16};
    matrix.weights = zeros((size_t)OUTPUTS * INPUTS * wanted->bits / 8);
    matrix.scales = zeros((size_t)OUTPUTS * INPUTS / matrix.group * 2);
    matrix.biases = zeros((size_t)OUTPUTS * INPUTS / matrix.group * 2);
    float *x = zeros(wanted->rows * INPUTS * sizeof *x);
    // Rows of zeros would be quantised by a shorter way.
    for (size_t i = 0; i < wanted->rows * INPUTS; i++) x[i] = (float)(i % 7) - 3;
    float *y = zeros(wanted->rows * OUTPUTS * sizeof *y);
    void *scratch = zeros(ck_matmul_scratch_bytes(wanted->rows, INPUTS));
    counted(&(ck_product){.matrix = &matrix, .output = y}, x, wanted->rows, scratch);
}

// Without a name the names are printed.
int main(int count, char **arguments) {
    if (ck_isa_problem() != NULL) {
        fprintf(stderr, "%s\n", ck_isa_problem());
        return 1;
    }
    for (size_t i = 0; i < PRODUCT_COUNT; i++) {
        if (count < 2) {
            puts(products[i].name);
        } else if (strcmp(arguments[1], products[i].name) == 0) {
            multiply(&products[i]);
            return 0;
        }
    }
    if (count < 2) return 0;
    fprintf(stderr, "no product is called %s\n", arguments[1]);
    return 1;
}
