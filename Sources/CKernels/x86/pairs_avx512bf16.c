// bf16 weights × rows rounded to bf16 in AVX512_BF16, whose dot product of pairs is the canon's.
#if defined(__x86_64__)
#include "avx512.h"
#include "x86.h"

// Outputs taken with one row: as in dot_avx512.c.
#define ROW_OUTPUTS 2
// Sums that fill the registers, beside their weights and a row's values.
#define TILE_OUTPUTS 4
#define TILE_ROWS 6

#define CK_AVX512BF16 \
    __attribute__((target("avx2,fma,f16c,avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx512bf16")))

#pragma clang attribute push(CK_AVX512BF16, apply_to = function)

// The first `count` of 32 elements.
CK_INLINE __mmask32 mask32(size_t count) { return count < 32 ? ((__mmask32)1 << count) - 1 : ~(__mmask32)0; }

// Weights as the canon has them: small ones are zeros.
CK_INLINE __m512i load_weights(const uint16_t *w, __mmask32 mask) {
    __m512i halves = _mm512_maskz_loadu_epi16(mask, w);
    return _mm512_maskz_mov_epi16(_mm512_test_epi16_mask(halves, _mm512_set1_epi16(CK_BF16_WEIGHT_BITS)), halves);
}

static void round_row(const float *x, size_t inputs, uint16_t *out) {
    // Magnitudes of bf16 are in the order of their bits.
    const __m512i magnitude = _mm512_set1_epi16(0x7fff);
    const __m512i least = _mm512_set1_epi16((short)ck_bf16_from_float(CK_BF16_ACTIVATION_MIN));
    for (size_t k = 0; k < inputs; k += CK_PAIR_INPUTS) {
        __mmask16 first = ck_mask16_avx512(inputs - k);
        __mmask16 second = inputs - k > 16 ? ck_mask16_avx512(inputs - k - 16) : 0;
        __m512 low = _mm512_maskz_loadu_ps(first, x + k), high = _mm512_maskz_loadu_ps(second, x + k + 16);
        __m512i halves = (__m512i)_mm512_cvtne2ps_pbh(high, low);
        __mmask32 counts = _mm512_cmpge_epu16_mask(_mm512_and_si512(halves, magnitude), least);
        _mm512_storeu_si512(out + k, _mm512_maskz_mov_epi16(counts, halves));
    }
}

// One row and `outputs` outputs, a constant where this is called. The next ones are asked for on the way: memory sees
// one stream, not one for each output.
CK_INLINE void dot_row(int outputs, const uint16_t *w, const uint16_t *x, size_t n, float *y) {
    __m512 sums[ROW_OUTPUTS];
    CK_UNROLL
    for (int o = 0; o < outputs; o++) sums[o] = _mm512_setzero_ps();
    const uint16_t *next = w + (size_t)outputs * n;
    for (size_t k = 0; k < n; k += CK_PAIR_INPUTS) {
        __mmask32 mask = mask32(n - k);
        __m512bh values = (__m512bh)_mm512_loadu_si512(x + k);
        CK_UNROLL
        for (int o = 0; o < outputs; o++) {
            _mm_prefetch((const char *)(next + (size_t)outputs * k + (size_t)o * 32), _MM_HINT_T0);
            sums[o] = _mm512_dpbf16_ps(sums[o], (__m512bh)load_weights(w + (size_t)o * n + k, mask), values);
        }
    }
    CK_UNROLL
    for (int o = 0; o < outputs; o++) y[o] = ck_fold16_avx512(sums[o]);
}

static void dot_pairs(const uint16_t *w, size_t outputs, const uint16_t *x, size_t n, float *y) {
    size_t o = 0;
    for (; o + ROW_OUTPUTS <= outputs; o += ROW_OUTPUTS) dot_row(ROW_OUTPUTS, w + o * n, x, n, y + o);
    for (; o < outputs; o++) dot_row(1, w + o * n, x, n, y + o);
}

// `outputs` and `rows` are constants where this is called, so that the sums stay in registers. `padded` inputs are whole
// 32s. `lines` lines at `next` are asked for at every step, unless it is NULL.
CK_INLINE void tile(int outputs, int rows, const uint16_t *w, size_t stride, const uint16_t *x, size_t x_stride,
                    size_t padded, const uint8_t *next, size_t lines, float *y, size_t y_stride) {
    __m512 sums[TILE_ROWS][TILE_OUTPUTS];
    CK_UNROLL
    for (int r = 0; r < rows; r++) {
        CK_UNROLL
        for (int o = 0; o < outputs; o++) sums[r][o] = _mm512_setzero_ps();
    }
    for (size_t k = 0; k < padded; k += CK_PAIR_INPUTS) {
        for (size_t line = 0; line < lines; line++, next += 64) _mm_prefetch((const char *)next, _MM_HINT_T1);
        __m512bh weights[TILE_OUTPUTS];
        CK_UNROLL
        for (int o = 0; o < outputs; o++) weights[o] = (__m512bh)_mm512_load_si512(w + (size_t)o * stride + k);
        CK_UNROLL
        for (int r = 0; r < rows; r++) {
            __m512bh values = (__m512bh)_mm512_loadu_si512(x + (size_t)r * x_stride + k);
            CK_UNROLL
            for (int o = 0; o < outputs; o++) sums[r][o] = _mm512_dpbf16_ps(sums[r][o], weights[o], values);
        }
    }
    CK_UNROLL
    for (int r = 0; r < rows; r++) {
        float *to = y + (size_t)r * y_stride;
        __m256 halves[TILE_OUTPUTS];
        CK_UNROLL
        for (int o = 0; o < outputs; o++) {
            halves[o] = _mm256_add_ps(_mm512_castps512_ps256(sums[r][o]), _mm512_extractf32x8_ps(sums[r][o], 1));
        }
        if (outputs == TILE_OUTPUTS) {
            _mm_storeu_ps(to, ck_fold8_four_avx2(halves[0], halves[1], halves[2], halves[3]));
        } else {
            CK_UNROLL
            for (int o = 0; o < outputs; o++) to[o] = ck_fold8_avx2(halves[o]);
        }
    }
}

// A tile of rows × all outputs: the rows' values stay in the first-level cache. `next` as for tile.
CK_INLINE void tile_outputs(int rows, const uint16_t *copy, size_t outputs, const uint16_t *x, size_t x_stride,
                            size_t n, const uint8_t *next, size_t lines, float *y, size_t y_stride) {
    const size_t stride = CK_PAIR_STRIDE(n), padded = ck_round_up(n, CK_PAIR_INPUTS);
    size_t o = 0;
    for (; o + TILE_OUTPUTS <= outputs; o += TILE_OUTPUTS) {
        const uint8_t *wanted = next + o * n * sizeof *copy;
        tile(TILE_OUTPUTS, rows, copy + o * stride, stride, x, x_stride, padded, wanted, lines, y + o, y_stride);
    }
    for (; o < outputs; o++) {
        tile(1, rows, copy + o * stride, stride, x, x_stride, padded, NULL, 0, y + o, y_stride);
    }
}

static void copy_weights(const uint16_t *w, size_t outputs, size_t n, uint16_t *copy) {
    for (size_t o = 0; o < outputs; o++, w += n, copy += CK_PAIR_STRIDE(n)) {
        for (size_t k = 0; k < n; k += CK_PAIR_INPUTS) _mm512_store_si512(copy + k, load_weights(w + k, mask32(n - k)));
    }
}

static void multiply_pairs(const uint16_t *w, size_t outputs, const uint16_t *x, size_t x_stride, size_t rows, size_t n,
                           const uint8_t *next, uint16_t *copy, float *y, size_t y_stride) {
    copy_weights(w, outputs, n, copy);
    const size_t tiles = ck_tile_count(rows, TILE_ROWS);
    // The first tiles of rows ask for what comes next, four where there are as many: memory keeps up with them.
    const size_t asking = tiles >= 4 ? 4 : tiles >= 2 ? 2 : 1, lines = TILE_OUTPUTS / asking;
    for (size_t t = 0; t < tiles; t++) {
        size_t r = ck_tile_start(rows, tiles, t), count = ck_tile_start(rows, tiles, t + 1) - r;
        const uint16_t *from = x + r * x_stride;
        float *to = y + r * y_stride;
        bool asks = next != NULL && t < asking;
        const uint8_t *wanted = asks ? next + t * lines * n * sizeof *w : (const uint8_t *)w;
        size_t wanted_lines = asks ? lines : 0;
        switch (count) {
        case 1: tile_outputs(1, copy, outputs, from, x_stride, n, wanted, wanted_lines, to, y_stride); break;
        case 2: tile_outputs(2, copy, outputs, from, x_stride, n, wanted, wanted_lines, to, y_stride); break;
        case 3: tile_outputs(3, copy, outputs, from, x_stride, n, wanted, wanted_lines, to, y_stride); break;
        case 4: tile_outputs(4, copy, outputs, from, x_stride, n, wanted, wanted_lines, to, y_stride); break;
        case 5: tile_outputs(5, copy, outputs, from, x_stride, n, wanted, wanted_lines, to, y_stride); break;
        case 6: tile_outputs(6, copy, outputs, from, x_stride, n, wanted, wanted_lines, to, y_stride); break;
        }
    }
}

#pragma clang attribute pop

void ck_init_pairs_avx512bf16(ck_kernels *table) {
    table->round_row = round_row;
    table->dot_pairs = dot_pairs;
    table->multiply_pairs = multiply_pairs;
}
#endif
