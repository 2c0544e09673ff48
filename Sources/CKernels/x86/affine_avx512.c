// Affine weights × a few int8 rows in AVX-512 VNNI: outputs one after the other, sixteen groups at a time.
#if defined(__x86_64__)
#include "avx512.h"
#include "x86.h"

// Bytes of 4-bit weights asked for ahead of use. They are used so slowly that the hardware's prefetcher, which stops at
// page borders, leaves memory idle; 8-bit ones it brings as fast as memory goes, and requests of ours would only hold
// it up (19 GB/s instead of 32 on a core of Zen 4).
#define PREFETCH_BYTES 8192
// Rows that share one unpacking of the weights.
#define ROWS_MAX 3

#pragma clang attribute push(CK_AVX512, apply_to = function)

CK_INLINE __m512i load64(const void *from) { return _mm512_loadu_si512(from); }

// Sums of the halves of each four lanes: [a0 + a2, b0 + b2, a1 + a3, b1 + b3] of every 128 bits.
CK_INLINE __m512i interleave_halves(__m512i a, __m512i b) {
    return _mm512_add_epi32(_mm512_unpacklo_epi32(a, b), _mm512_unpackhi_epi32(a, b));
}

// Sums over the four lanes of each 128 bits, [a, b, c, d], from the above of (a, b) and of (c, d).
CK_INLINE __m512i interleave_sums(__m512i ab, __m512i cd) {
    return _mm512_add_epi32(_mm512_unpacklo_epi64(ab, cd), _mm512_unpackhi_epi64(ab, cd));
}

// Sums of neighbouring 128 bits: of a's, then of b's.
CK_INLINE __m512i add_neighbours(__m512i a, __m512i b) {
    return _mm512_add_epi32(_mm512_shuffle_i64x2(a, b, 0x88), _mm512_shuffle_i64x2(a, b, 0xdd));
}

// Vector `index` of weights × `rows` rows of x: sixteen sums of four or, at 4 bits, eight products, added to `sums`.
CK_INLINE void multiply_vector(int bits, int rows, const uint8_t *w, const int8_t *x, size_t x_stride, size_t index,
                               __m512i sums[ROWS_MAX]) {
    __m512i weights = load64(w + index * 64);
    if (bits == 8) {
        CK_UNROLL
        for (int r = 0; r < rows; r++) {
            sums[r] = _mm512_dpbusd_epi32(sums[r], weights, load64(x + (size_t)r * x_stride + index * 64));
        }
        return;
    }
    _mm_prefetch((const char *)w + index * 64 + PREFETCH_BYTES, _MM_HINT_T0);
    const __m512i mask = _mm512_set1_epi8(15);
    __m512i low = _mm512_and_si512(weights, mask), high = _mm512_and_si512(_mm512_srli_epi16(weights, 4), mask);
    CK_UNROLL
    for (int r = 0; r < rows; r++) {
        const int8_t *at = x + (size_t)r * x_stride + index * 128;
        sums[r] = _mm512_dpbusd_epi32(_mm512_dpbusd_epi32(sums[r], low, load64(at)), high, load64(at + 64));
    }
}

// Four times `merged` vectors from index `first` on, the merged ones added up: their sums over each 128 bits, in order.
CK_INLINE void sum_four(int bits, int rows, int merged, const uint8_t *w, const int8_t *x, size_t x_stride,
                        size_t first, __m512i out[ROWS_MAX]) {
    __m512i halves[2][ROWS_MAX];
    CK_UNROLL
    for (int pair = 0; pair < 2; pair++) {
        __m512i sums[2][ROWS_MAX];
        CK_UNROLL
        for (int member = 0; member < 2; member++) {
            CK_UNROLL
            for (int r = 0; r < rows; r++) sums[member][r] = _mm512_setzero_si512();
            CK_UNROLL
            for (int m = 0; m < merged; m++, first++) multiply_vector(bits, rows, w, x, x_stride, first, sums[member]);
        }
        CK_UNROLL
        for (int r = 0; r < rows; r++) halves[pair][r] = interleave_halves(sums[0][r], sums[1][r]);
    }
    CK_UNROLL
    for (int r = 0; r < rows; r++) out[r] = interleave_sums(halves[0][r], halves[1][r]);
}

// Σ q · x over each of sixteen groups.
CK_INLINE void block_sums(int bits, int group, int rows, const uint8_t *w, const int8_t *x, size_t x_stride,
                          __m512i sums[ROWS_MAX]) {
    const int group_bytes = group * bits / 8;
    if (group_bytes == 16) {
        // A vector is four groups, a group 128 bits of its sums.
        const __m512i order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
        sum_four(bits, rows, 1, w, x, x_stride, 0, sums);
        CK_UNROLL
        for (int r = 0; r < rows; r++) sums[r] = _mm512_permutexvar_epi32(order, sums[r]);
        return;
    }
    __m512i first[ROWS_MAX], second[ROWS_MAX];
    if (group_bytes == 32) {
        // A vector is two groups.
        const __m512i order = _mm512_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7, 8, 12, 9, 13, 10, 14, 11, 15);
        sum_four(bits, rows, 1, w, x, x_stride, 0, first);
        sum_four(bits, rows, 1, w, x, x_stride, 4, second);
        CK_UNROLL
        for (int r = 0; r < rows; r++) {
            sums[r] = _mm512_permutexvar_epi32(order, add_neighbours(first[r], second[r]));
        }
        return;
    }
    // One vector or two of them are a group.
    const int merged = group_bytes / 64;
    __m512i third[ROWS_MAX], fourth[ROWS_MAX];
    sum_four(bits, rows, merged, w, x, x_stride, 0, first);
    sum_four(bits, rows, merged, w, x, x_stride, 4 * (size_t)merged, second);
    sum_four(bits, rows, merged, w, x, x_stride, 8 * (size_t)merged, third);
    sum_four(bits, rows, merged, w, x, x_stride, 12 * (size_t)merged, fourth);
    CK_UNROLL
    for (int r = 0; r < rows; r++) {
        sums[r] = add_neighbours(add_neighbours(first[r], second[r]), add_neighbours(third[r], fourth[r]));
    }
}

CK_INLINE __m256 low_half(__m512 values) { return _mm512_castps512_ps256(values); }
CK_INLINE __m256 high_half(__m512 values) { return _mm512_extractf32x8_ps(values, 1); }

// One output and `rows` rows from `row` on.
CK_INLINE void dot_rows(int bits, int group, int rows, const ck_matrix *matrix, size_t output,
                        const ck_quantized_rows *x, size_t row, float *y, size_t y_stride) {
    const uint8_t *w = ck_matrix_row(matrix, output);
    const void *scales = ck_scales_row(matrix, matrix->scales, output);
    const void *biases = ck_scales_row(matrix, matrix->biases, output);
    const uint8_t *end = ck_readable_end(matrix);
    const int8_t *values = x->values + row * x->value_stride;
    const size_t groups = matrix->inputs / (size_t)group, block_bytes = (size_t)(2 * group * bits);
    __m256 lanes[ROWS_MAX];
    CK_UNROLL
    for (int r = 0; r < rows; r++) lanes[r] = _mm256_setzero_ps();
    for (size_t g = 0; g < groups; g += 16, w += block_bytes, values += group * 16) {
        // The last block may reach into the next row, whose weights meet zeros, but not past the matrix.
        _Alignas(64) uint8_t last[CK_GROUP_MAX * 16];
        const uint8_t *from = w;
        if (w + block_bytes > end) from = ck_copy_last_block(w, block_bytes, end, last);
        __m512i sums[ROWS_MAX];
        block_sums(bits, group, rows, from, values, x->value_stride, sums);
        const __mmask16 mask = ck_mask16_avx512(groups - g);
        __m512 scale = ck_load16_avx512(matrix->scale_type, scales, g, mask);
        __m512 bias = ck_load16_avx512(matrix->scale_type, biases, g, mask);
        CK_UNROLL
        for (int r = 0; r < rows; r++) {
            size_t at = (row + (size_t)r) * x->group_stride + g;
            __m512 factor = _mm512_mul_ps(scale, _mm512_loadu_ps(x->scales + at));
            __m512 sum = _mm512_cvtepi32_ps(sums[r]), x_sum = _mm512_loadu_ps(x->sums + at);
            lanes[r] = _mm256_fmadd_ps(low_half(factor), low_half(sum), lanes[r]);
            lanes[r] = _mm256_fmadd_ps(low_half(bias), low_half(x_sum), lanes[r]);
            if (g + 8 >= groups) continue;  // the canon ends with the last eight groups that hold any
            lanes[r] = _mm256_fmadd_ps(high_half(factor), high_half(sum), lanes[r]);
            lanes[r] = _mm256_fmadd_ps(high_half(bias), high_half(x_sum), lanes[r]);
        }
    }
    CK_UNROLL
    for (int r = 0; r < rows; r++) y[(size_t)r * y_stride] = ck_fold8_avx2(lanes[r]);
}

// All rows of one output after the other, so that its weights stay in the first-level cache.
CK_INLINE void dot_outputs(int bits, int group, const ck_matrix *matrix, size_t first_output, size_t outputs,
                           const ck_quantized_rows *x, size_t rows, float *y, size_t y_stride) {
    for (size_t o = 0; o < outputs; o++) {
        size_t output = first_output + o, r = 0;
        float *to = y + o;
        for (; r + 3 <= rows; r += 3) dot_rows(bits, group, 3, matrix, output, x, r, to + r * y_stride, y_stride);
        switch (rows - r) {
        case 1: dot_rows(bits, group, 1, matrix, output, x, r, to + r * y_stride, y_stride); break;
        case 2: dot_rows(bits, group, 2, matrix, output, x, r, to + r * y_stride, y_stride); break;
        }
    }
}

#define DEFINE_DOT_AFFINE(BITS)                                                                                        \
    static void dot_affine##BITS(const ck_matrix *matrix, size_t first_output, size_t outputs,                         \
                                 const ck_quantized_rows *x, size_t rows, float *y, size_t y_stride) {                 \
        switch (matrix->group) {                                                                                       \
        case 32: dot_outputs(BITS, 32, matrix, first_output, outputs, x, rows, y, y_stride); break;                    \
        case 64: dot_outputs(BITS, 64, matrix, first_output, outputs, x, rows, y, y_stride); break;                    \
        default: dot_outputs(BITS, 128, matrix, first_output, outputs, x, rows, y, y_stride); break;                   \
        }                                                                                                              \
    }

DEFINE_DOT_AFFINE(4)
DEFINE_DOT_AFFINE(8)

#pragma clang attribute pop

void ck_init_affine_avx512(ck_kernels *table) {
    table->dot_affine4 = dot_affine4;
    table->dot_affine8 = dot_affine8;
}
#endif
