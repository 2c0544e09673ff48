// Affine weights × a few int8 rows in AVX2: outputs one after the other, eight groups at a time.
#if defined(__x86_64__)
#include "avx2.h"
#include "x86.h"

#pragma clang attribute push(CK_AVX2, apply_to = function)

// Bytes of weights asked for ahead of use. The hardware's prefetcher stops at page borders.
#define PREFETCH_BYTES 8192
// Rows that share one unpacking of the weights.
#define ROWS_MAX 4

CK_INLINE __m256i load32(const void *from) { return _mm256_loadu_si256((const __m256i *)from); }

CK_INLINE __m256i load_weights(const uint8_t *from) {
    _mm_prefetch((const char *)from + PREFETCH_BYTES, _MM_HINT_T0);
    return load32(from);
}

// Sums of the pairs of lanes of a, then of b, within each half. Only for lanes that fit 16 bits.
CK_INLINE __m256i add_narrow_pairs(__m256i a, __m256i b) {
    return _mm256_madd_epi16(_mm256_packs_epi32(a, b), _mm256_set1_epi16(1));
}

// The sums of eight vectors of eight, from the sums of pairs of lanes of vectors 2i and 2i + 1.
CK_INLINE __m256i fold_pairs(const __m256i pairs[4]) {
    __m256i first = _mm256_hadd_epi32(pairs[0], pairs[1]), last = _mm256_hadd_epi32(pairs[2], pairs[3]);
    return _mm256_add_epi32(_mm256_permute2x128_si256(first, last, 0x20), _mm256_permute2x128_si256(first, last, 0x31));
}

// The sums of the halves of four vectors of eight, halves in order, from the same.
CK_INLINE __m256i fold_halves(const __m256i pairs[2]) {
    return _mm256_permutevar8x32_epi32(_mm256_hadd_epi32(pairs[0], pairs[1]),
                                       _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7));
}

typedef struct {
    __m256i low, high;
} nibbles;

CK_INLINE nibbles unpack4(const uint8_t *weights) {
    __m256i packed = load_weights(weights), mask = _mm256_set1_epi8(15);
    return (nibbles){_mm256_and_si256(packed, mask), _mm256_and_si256(_mm256_srli_epi16(packed, 4), mask)};
}

// Sixteen partial sums over 64 inputs, none beyond 2 · 2 · 15 · 127 = 7620.
CK_INLINE __m256i multiply4(nibbles weights, const int8_t *x) {
    return _mm256_add_epi16(_mm256_maddubs_epi16(weights.low, load32(x)),
                            _mm256_maddubs_epi16(weights.high, load32(x + 32)));
}

// Eight partial sums over 32 inputs. |q − 128| · ±x: products of two stay within 2 · 128 · 127 < 2¹⁵.
CK_INLINE __m256i multiply8(__m256i weights, const int8_t *x) {
    __m256i pairs = _mm256_maddubs_epi16(_mm256_abs_epi8(weights), _mm256_sign_epi8(load32(x), weights));
    return _mm256_madd_epi16(pairs, _mm256_set1_epi16(1));
}

// Σ q · x for eight groups of `group` inputs: 4-bit weights at w, x in even-odd order.
CK_INLINE void sums4(int group, int rows, const uint8_t *w, const int8_t *x, size_t x_stride, __m256i sums[ROWS_MAX]) {
    const __m256i ones = _mm256_set1_epi16(1);
    const int vectors = group / 64, pair_count = group == 32 ? 2 : 4;
    __m256i pairs[ROWS_MAX][4];
    CK_UNROLL
    for (int pair = 0; pair < pair_count; pair++) {
        __m256i two[ROWS_MAX][2];
        CK_UNROLL
        for (int member = 0; member < 2; member++) {
            int first = group == 128 ? (pair * 2 + member) * vectors : pair * 2 + member;
            nibbles weights = unpack4(w + first * 32);
            CK_UNROLL
            for (int r = 0; r < rows; r++) {
                two[r][member] = multiply4(weights, x + (size_t)r * x_stride + first * 64);
            }
            if (group != 128) continue;
            weights = unpack4(w + first * 32 + 32);
            CK_UNROLL
            for (int r = 0; r < rows; r++) {
                const int8_t *at = x + (size_t)r * x_stride + first * 64 + 64;
                two[r][member] = _mm256_add_epi16(two[r][member], multiply4(weights, at));
            }
        }
        CK_UNROLL
        for (int r = 0; r < rows; r++) {
            __m256i a = _mm256_madd_epi16(two[r][0], ones), b = _mm256_madd_epi16(two[r][1], ones);
            pairs[r][pair] = add_narrow_pairs(a, b);
        }
    }
    CK_UNROLL
    for (int r = 0; r < rows; r++) sums[r] = group == 32 ? fold_halves(pairs[r]) : fold_pairs(pairs[r]);
}

// Σ (q − 128) · x for eight groups of `group` inputs: 8-bit weights at w, x in natural order.
CK_INLINE void sums8(int group, int rows, const uint8_t *w, const int8_t *x, size_t x_stride, __m256i sums[ROWS_MAX]) {
    __m256i pairs[ROWS_MAX][4];
    CK_UNROLL
    for (int pair = 0; pair < 4; pair++) {
        __m256i two[ROWS_MAX][2];
        CK_UNROLL
        for (int member = 0; member < 2; member++) {
            int first = (pair * 2 + member) * group;
            for (int at = first; at < first + group; at += 32) {
                __m256i weights = _mm256_xor_si256(load_weights(w + at), _mm256_set1_epi8(-128));
                CK_UNROLL
                for (int r = 0; r < rows; r++) {
                    __m256i partial = multiply8(weights, x + (size_t)r * x_stride + at);
                    two[r][member] = at == first ? partial : _mm256_add_epi32(two[r][member], partial);
                }
            }
        }
        CK_UNROLL
        for (int r = 0; r < rows; r++) pairs[r][pair] = _mm256_hadd_epi32(two[r][0], two[r][1]);
    }
    CK_UNROLL
    for (int r = 0; r < rows; r++) sums[r] = fold_pairs(pairs[r]);
}

// Eight groups of one output and `rows` rows, added to the lanes.
CK_INLINE void add_groups(int bits, int group, int rows, ck_float_type scale_type, const void *scales,
                          const void *biases, const uint8_t *w, const ck_quantized_rows *x, const int8_t *values,
                          size_t row, size_t g, size_t groups, __m256 lanes[ROWS_MAX]) {
    __m256i sums[ROWS_MAX];
    if (bits == 4) {
        sums4(group, rows, w, values, x->value_stride, sums);
    } else {
        sums8(group, rows, w, values, x->value_stride, sums);
    }
    __m256 scale = ck_load_scales_avx2(scale_type, scales, g, groups);
    __m256 bias = ck_load_scales_avx2(scale_type, biases, g, groups);
    CK_UNROLL
    for (int r = 0; r < rows; r++) {
        size_t at = (row + (size_t)r) * x->group_stride + g;
        if (bits == 8) sums[r] = _mm256_add_epi32(sums[r], _mm256_slli_epi32(load32(x->value_sums + at), 7));
        __m256 factor = _mm256_mul_ps(scale, _mm256_loadu_ps(x->scales + at));
        lanes[r] = _mm256_fmadd_ps(factor, _mm256_cvtepi32_ps(sums[r]), lanes[r]);
        lanes[r] = _mm256_fmadd_ps(bias, _mm256_loadu_ps(x->sums + at), lanes[r]);
    }
}

// One output and `rows` rows from `row` on.
CK_INLINE void dot_rows(int bits, int group, int rows, const ck_matrix *matrix, size_t output,
                        const ck_quantized_rows *x, size_t row, float *y, size_t y_stride) {
    const uint8_t *w = ck_matrix_row(matrix, output);
    const void *scales = ck_scales_row(matrix, matrix->scales, output);
    const void *biases = ck_scales_row(matrix, matrix->biases, output);
    const uint8_t *end = ck_readable_end(matrix);
    const int8_t *values = x->values + row * x->value_stride;
    const ck_float_type scale_type = matrix->scale_type;
    const size_t groups = matrix->inputs / (size_t)group, block_bytes = (size_t)group * (size_t)bits;
    __m256 lanes[ROWS_MAX];
    CK_UNROLL
    for (int r = 0; r < rows; r++) lanes[r] = _mm256_setzero_ps();
    for (size_t g = 0; g < groups; g += 8, w += block_bytes, values += group * 8) {
        // The last block may reach into the next row, whose weights meet zeros, but not past the matrix.
        _Alignas(32) uint8_t last[CK_GROUP_MAX * 8];
        const uint8_t *from = w;
        if (w + block_bytes > end) from = ck_copy_last_block(w, block_bytes, end, last);
        add_groups(bits, group, rows, scale_type, scales, biases, from, x, values, row, g, groups, lanes);
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
        for (; r + 4 <= rows; r += 4) dot_rows(bits, group, 4, matrix, output, x, r, to + r * y_stride, y_stride);
        switch (rows - r) {
        case 1: dot_rows(bits, group, 1, matrix, output, x, r, to + r * y_stride, y_stride); break;
        case 2: dot_rows(bits, group, 2, matrix, output, x, r, to + r * y_stride, y_stride); break;
        case 3: dot_rows(bits, group, 3, matrix, output, x, r, to + r * y_stride, y_stride); break;
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

void ck_init_affine_avx2(ck_kernels *table) {
    table->dot_affine4 = dot_affine4;
    table->dot_affine8 = dot_affine8;
}
#endif
