// Affine weights × int8 rows in portable C: exact integer sums within a group, floats between groups. Values of rows
// lie
// in their natural order for every width.
#include "kernels.h"
#include "panel.h"

static void quantize_row(const float *x, size_t inputs, size_t group, ck_order order, const ck_quantized_rows *out,
                         size_t row) {
    (void)order;
    int8_t *values = out->values + row * out->value_stride;
    float *scales = out->scales + row * out->group_stride;
    float *sums = out->sums + row * out->group_stride;
    int32_t *value_sums = out->value_sums + row * out->group_stride;
    size_t groups = inputs / group;
    memset(values, 0, out->value_stride);
    for (size_t g = 0; g < out->group_stride; g++) {
        scales[g] = 0;
        sums[g] = 0;
        value_sums[g] = 0;
        if (g >= groups) continue;
        // As integers, so that a NaN counts as the largest value on every machine.
        uint32_t largest = 0;
        for (size_t i = 0; i < group; i++) {
            uint32_t magnitude = ck_bits_of(x[g * group + i]) & 0x7fffffffu;
            if (magnitude > largest) largest = magnitude;
        }
        float inverse = ck_quantization_inverse(largest, &scales[g]);
        if (inverse == 0) {
            sums[g] = scales[g];
            continue;
        }
        int32_t sum = 0;
        for (size_t i = 0; i < group; i++) {
            size_t k = g * group + i;
            float shifted = x[k] * inverse + 0x1.8p+23f;  // rounds to the nearest integer, ties to even
            int32_t value = (int32_t)(ck_bits_of(shifted) - ck_bits_of(0x1.8p+23f));
            sum += value;
            values[k] = (int8_t)value;
        }
        value_sums[g] = sum;
        sums[g] = scales[g] * (float)sum;
    }
}

// One output and up to CK_PANEL_ROWS_MAX rows, the weights of a group unpacked once for all of them.
static void dot_output(const ck_matrix *matrix, size_t output, const ck_quantized_rows *x, size_t rows, float *y,
                       size_t y_stride) {
    const uint8_t *weights = ck_matrix_row(matrix, output);
    const void *scales = ck_scales_row(matrix, matrix->scales, output);
    const void *biases = ck_scales_row(matrix, matrix->biases, output);
    const size_t group = matrix->group, groups = matrix->inputs / group;
    float lanes[CK_PANEL_ROWS_MAX][CK_GROUP_LANES];
    memset(lanes, 0, rows * sizeof lanes[0]);
    for (size_t g = 0; g < ck_round_up(groups, CK_GROUP_LANES); g++) {
        uint8_t elements[CK_GROUP_MAX] = {0};
        float scale = 0, bias = 0;
        if (g < groups) {
            ck_unpack_bits(weights, matrix->bits, g * group, group, elements);
            scale = ck_load_float(matrix->scale_type, scales, g);
            bias = ck_load_float(matrix->scale_type, biases, g);
        }
        for (size_t r = 0; r < rows; r++) {
            const int8_t *values = x->values + r * x->value_stride + g * group;
            int32_t sum = 0;
            for (size_t i = 0; i < group; i++) sum += elements[i] * values[i];
            float *lane = &lanes[r][g % CK_GROUP_LANES];
            *lane = fmaf(scale * x->scales[r * x->group_stride + g], (float)sum, *lane);
            *lane = fmaf(bias, x->sums[r * x->group_stride + g], *lane);
        }
    }
    for (size_t r = 0; r < rows; r++) y[r * y_stride] = ck_fold_group_lanes(lanes[r]);
}

static void dot_affine(const ck_matrix *matrix, size_t first_output, size_t outputs, const ck_quantized_rows *x,
                       size_t rows, float *y, size_t y_stride) {
    for (size_t o = 0; o < outputs; o++) dot_output(matrix, first_output + o, x, rows, y + o, y_stride);
}

static void dequantize(const ck_matrix *matrix, size_t output, size_t first_input, size_t count, float *out) {
    const uint8_t *weights = ck_matrix_row(matrix, output);
    const void *scales = ck_scales_row(matrix, matrix->scales, output);
    const void *biases = ck_scales_row(matrix, matrix->biases, output);
    size_t group = matrix->group;
    for (size_t done = 0; done < count; done += group) {
        size_t g = (first_input + done) / group;
        float scale = ck_load_float(matrix->scale_type, scales, g);
        float bias = ck_load_float(matrix->scale_type, biases, g);
        uint8_t elements[CK_GROUP_MAX];
        ck_unpack_bits(weights, matrix->bits, g * group, group, elements);
        for (size_t i = 0; i < group; i++) out[done + i] = fmaf(scale, (float)elements[i], bias);
    }
}

void ck_init_affine_portable(ck_kernels *table) {
    table->quantize_row = quantize_row;
    table->unpack_bits = ck_unpack_bits;
    table->dequantize = dequantize;
    table->dot_affine4 = dot_affine;
    table->dot_affine8 = dot_affine;
}
