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

// `outputs` and `rows` are constants where this is called, so that the sums stay in registers. `lines` lines at `next`
// are asked for at every step of 32 inputs.
CK_INLINE void tile(bool clean, int outputs, int rows, const uint16_t *w, const uint16_t *x, size_t x_stride, size_t n,
                    const uint8_t *next, size_t lines, float *y, size_t y_stride) {
    __m512 sums[TILE_ROWS][TILE_OUTPUTS];
    CK_UNROLL
    for (int r = 0; r < rows; r++) {
        CK_UNROLL
        for (int o = 0; o < outputs; o++) sums[r][o] = _mm512_setzero_ps();
    }
    const size_t stride = clean ? CK_PAIR_STRIDE(n) : n;
    for (size_t k = 0; k < n; k += CK_PAIR_INPUTS) {
        for (size_t line = 0; line < lines; line++, next += 64) {
            if (clean) {
                _mm_prefetch((const char *)next, _MM_HINT_T1);
            } else {
                _mm_prefetch((const char *)next, _MM_HINT_T0);
            }
        }
        __m512bh weights[TILE_OUTPUTS];
        CK_UNROLL
        for (int o = 0; o < outputs; o++) {
            const uint16_t *at = w + (size_t)o * stride + k;
            __m512i pairs = clean ? _mm512_load_si512(at) : ck_load_pairs_avx512(at, ck_mask32_avx512(n - k));
            weights[o] = (__m512bh)pairs;
        }
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

// A few rows as the weights come: memory is asked for the outputs that follow, in the order in which they lie there.
CK_INLINE void strip_rows(int outputs, const uint16_t *w, const uint16_t *x, size_t x_stride, size_t rows, size_t n,
                          float *y, size_t y_stride) {
    const uint8_t *next = (const uint8_t *)(w + (size_t)outputs * n);
    const size_t tiles = ck_tile_count(rows, TILE_ROWS);
    for (size_t t = 0; t < tiles; t++) {
        size_t r = ck_tile_start(rows, tiles, t), count = ck_tile_start(rows, tiles, t + 1) - r;
        size_t lines = t == 0 ? (size_t)outputs : 0;
        const uint16_t *from = x + r * x_stride;
        float *to = y + r * y_stride;
        switch (count) {
        case 1: tile(false, outputs, 1, w, from, x_stride, n, next, lines, to, y_stride); break;
        case 2: tile(false, outputs, 2, w, from, x_stride, n, next, lines, to, y_stride); break;
        case 3: tile(false, outputs, 3, w, from, x_stride, n, next, lines, to, y_stride); break;
        case 4: tile(false, outputs, 4, w, from, x_stride, n, next, lines, to, y_stride); break;
        case 5: tile(false, outputs, 5, w, from, x_stride, n, next, lines, to, y_stride); break;
        case 6: tile(false, outputs, 6, w, from, x_stride, n, next, lines, to, y_stride); break;
        }
    }
}

static void multiply_few_rows(const uint16_t *w, size_t outputs, const uint16_t *x, size_t x_stride, size_t rows,
                              size_t n, float *y, size_t y_stride) {
    size_t o = 0;
    for (; o + ROW_OUTPUTS <= outputs && rows == 1; o += ROW_OUTPUTS) {
        strip_rows(ROW_OUTPUTS, w + o * n, x, x_stride, 1, n, y + o, y_stride);
    }
    for (; o + TILE_OUTPUTS <= outputs; o += TILE_OUTPUTS) {
        strip_rows(TILE_OUTPUTS, w + o * n, x, x_stride, rows, n, y + o, y_stride);
    }
    for (; o < outputs; o++) strip_rows(1, w + o * n, x, x_stride, rows, n, y + o, y_stride);
}

// A tile of rows × all outputs of clean weights: the rows' values stay in the first-level cache. Of each four outputs
// that come next `lines` lines a step are asked for.
CK_INLINE void tile_outputs(int rows, const uint16_t *w, size_t outputs, const uint16_t *x, size_t x_stride, size_t n,
                            const uint8_t *next, size_t lines, float *y, size_t y_stride) {
    const size_t stride = CK_PAIR_STRIDE(n);
    size_t o = 0;
    for (; o + TILE_OUTPUTS <= outputs; o += TILE_OUTPUTS, next += TILE_OUTPUTS * n * sizeof *w) {
        tile(true, TILE_OUTPUTS, rows, w + o * stride, x, x_stride, n, next, lines, y + o, y_stride);
    }
    for (; o < outputs; o++) tile(true, 1, rows, w + o * stride, x, x_stride, n, next, 0, y + o, y_stride);
}

static void multiply_pairs(bool clean, const uint16_t *w, size_t outputs, const uint16_t *x, size_t x_stride,
                           size_t rows, size_t n, const uint8_t *next, float *y, size_t y_stride) {
    if (!clean) {
        multiply_few_rows(w, outputs, x, x_stride, rows, n, y, y_stride);
        return;
    }
    const size_t tiles = ck_tile_count(rows, TILE_ROWS);
    // The first tiles of rows ask for what comes next, four where there are as many: memory keeps up with them.
    const size_t asking = next == NULL ? 0 : tiles >= 4 ? 4 : tiles >= 2 ? 2 : 1;
    if (next == NULL) next = (const uint8_t *)w;
    for (size_t t = 0; t < tiles; t++) {
        size_t r = ck_tile_start(rows, tiles, t), count = ck_tile_start(rows, tiles, t + 1) - r;
        size_t lines = t < asking ? TILE_OUTPUTS / asking : 0;
        const uint8_t *wanted = next + t * lines * n * sizeof *w;
        const uint16_t *from = x + r * x_stride;
        float *to = y + r * y_stride;
        switch (count) {
        case 1: tile_outputs(1, w, outputs, from, x_stride, n, wanted, lines, to, y_stride); break;
        case 2: tile_outputs(2, w, outputs, from, x_stride, n, wanted, lines, to, y_stride); break;
        case 3: tile_outputs(3, w, outputs, from, x_stride, n, wanted, lines, to, y_stride); break;
        case 4: tile_outputs(4, w, outputs, from, x_stride, n, wanted, lines, to, y_stride); break;
        case 5: tile_outputs(5, w, outputs, from, x_stride, n, wanted, lines, to, y_stride); break;
        case 6: tile_outputs(6, w, outputs, from, x_stride, n, wanted, lines, to, y_stride); break;
        }
    }
}

#pragma clang attribute pop

void ck_init_pairs_avx512bf16(ck_kernels *table) {
    table->round_row = round_row;
    table->multiply_pairs = multiply_pairs;
}
#endif
