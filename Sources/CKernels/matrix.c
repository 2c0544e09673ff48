// What a weight matrix may look like, and its rows as float32.
#include "kernels.h"

static bool is_float_type(uint32_t type) { return type == CK_F32 || type == CK_F16 || type == CK_BF16; }

static bool is_aligned(const void *pointer) { return (uintptr_t)pointer % 64 == 0; }

static const char *affine_problem(const ck_matrix *matrix) {
    uint32_t bits = matrix->bits, group = matrix->group;
    if (bits != 2 && bits != 3 && bits != 4 && bits != 5 && bits != 6 && bits != 8) {
        return "quantised weights have 2, 3, 4, 5, 6 or 8 bits";
    }
    if (group == 16 && (bits == 4 || bits == 8)) return "groups of 16 inputs have 2, 3, 5 or 6 bits";
    if (group != 16 && group != 32 && group != 64 && group != 128) {
        return "a quantisation group holds 16, 32, 64 or 128 inputs";
    }
    if (matrix->inputs % group != 0) return "the inputs are not a multiple of the quantisation group";
    if (!is_float_type(matrix->scale_type)) return "scales and biases are float32, float16 or bfloat16";
    if (matrix->scales == NULL || matrix->biases == NULL) return "a quantised matrix needs scales and biases";
    if (!is_aligned(matrix->scales) || !is_aligned(matrix->biases)) return "scales and biases must be 64-byte aligned";
    return NULL;
}

// `group` inputs share a scale.
static const char *coded_problem(const ck_matrix *matrix, uint32_t group) {
    if (matrix->scales == NULL) return "a quantised matrix needs scales";
    if (matrix->inputs % group != 0) return "the inputs are not a multiple of the quantisation group";
    return NULL;
}

const char *ck_matrix_problem(const ck_matrix *matrix) {
    if (matrix->outputs == 0 || matrix->inputs == 0) return "a matrix needs at least one output and one input";
    if (matrix->inputs > CK_INPUTS_MAX) return "a matrix has at most 131072 inputs";
    if (matrix->weights == NULL) return "a matrix needs weights";
    if (!is_aligned(matrix->weights)) return "weights must be 64-byte aligned";
    switch (matrix->format) {
    case CK_FORMAT_F32:
    case CK_FORMAT_F16:
    case CK_FORMAT_BF16: return NULL;
    case CK_FORMAT_AFFINE: return affine_problem(matrix);
    case CK_FORMAT_MXFP4:
    case CK_FORMAT_MXFP8: return coded_problem(matrix, 32);
    case CK_FORMAT_NVFP4: return coded_problem(matrix, 16);
    case CK_FORMAT_FP8: return coded_problem(matrix, 1);
    }
    return "unknown weight format";
}

void ck_gather_rows(const ck_matrix *matrix, const uint32_t *ids, size_t rows, float *out) {
    const ck_kernels *kernels = ck_kernels_current();
    size_t inputs = matrix->inputs;
    for (size_t row = 0; row < rows; row++) {
        const void *from = ck_matrix_row(matrix, ids[row]);
        float *to = out + row * inputs;
        switch (matrix->format) {
        case CK_FORMAT_F32: memcpy(to, from, inputs * sizeof *to); break;
        case CK_FORMAT_F16: kernels->f32_from_f16(from, inputs, to); break;
        case CK_FORMAT_BF16: kernels->f32_from_bf16(from, inputs, to); break;
        default: ck_dequantize(kernels, matrix, ids[row], 0, inputs, to); break;
        }
    }
}
