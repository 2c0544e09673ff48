// Many rows × float weights in AVX-512: strips of 32 outputs, tiles of up to 12 rows (panel.h).
#if defined(__x86_64__)
#include "../panel.h"
#include "avx512.h"
#include "x86.h"

#define STRIP 32
#define TILE_ROWS 12

#pragma clang attribute push(CK_AVX512, apply_to = function)

static void pack_rows(const float *x, size_t x_stride, size_t rows, size_t inputs, float *packed, size_t lane_stride) {
    const size_t elements = ck_lane_elements(inputs);
    for (size_t lane = 0; lane < CK_LANES; lane++) {
        float *to = packed + lane * lane_stride;
        for (size_t element = 0; element < elements; element++) {
            size_t k = element * CK_LANES + lane;
            for (size_t r = 0; r < rows; r++) *to++ = k < inputs ? x[r * x_stride + k] : 0;
        }
    }
}

// Sixteen inputs of sixteen outputs as columns into sixteen lanes.
CK_INLINE void pack_sixteen(ck_float_type type, const uint8_t *w, size_t row_bytes, size_t outputs, __mmask16 mask,
                            float *to, size_t lane_stride) {
    __m512 v[16];
    for (size_t o = 0; o < 16; o++) {
        v[o] = o < outputs ? ck_load16_avx512(type, w + o * row_bytes, 0, mask) : _mm512_setzero_ps();
    }
    ck_transpose16_avx512(v);
    for (size_t lane = 0; lane < 16; lane++) _mm512_storeu_ps(to + lane * lane_stride, v[lane]);
}

CK_INLINE void pack_strip(ck_float_type type, const uint8_t *w, size_t w_stride, size_t outputs, size_t inputs,
                          float *to) {
    const size_t bytes = type == CK_F32 ? 4 : 2, lane_stride = ck_panel_lane_stride(inputs, STRIP);
    for (size_t k = 0; k < inputs; k += CK_LANES, to += STRIP) {
        const __mmask16 mask = ck_mask16_avx512(inputs - k);
        for (size_t column = 0; column < STRIP; column += 16) {
            size_t count = outputs > column ? outputs - column : 0;
            pack_sixteen(type, w + (column * w_stride + k) * bytes, w_stride * bytes, count, mask, to + column,
                         lane_stride);
        }
    }
}

// bf16 weights in pairs: 32 inputs of sixteen outputs into sixteen lanes, the odd elements and then the even ones.
CK_INLINE void pack_pairs(const uint16_t *w, size_t w_stride, size_t outputs, __mmask32 mask, float *to,
                          size_t lane_stride) {
    __m512 v[16];
    for (size_t o = 0; o < 16; o++) {
        v[o] = _mm512_castsi512_ps(ck_load_pairs_avx512(w + o * w_stride, o < outputs ? mask : 0));
    }
    ck_transpose16_avx512(v);
    for (size_t lane = 0; lane < 16; lane++) {
        __m512i pairs = _mm512_castps_si512(v[lane]);
        float *at = to + lane * lane_stride;
        _mm512_storeu_si512(at, _mm512_and_si512(pairs, _mm512_set1_epi32((int)0xffff0000u)));
        _mm512_storeu_si512(at + STRIP, _mm512_slli_epi32(pairs, 16));
    }
}

static void pack_pair_strip(const uint16_t *w, size_t w_stride, size_t outputs, size_t inputs, float *to) {
    const size_t lane_stride = ck_panel_lane_stride(ck_round_up(inputs, CK_PAIR_INPUTS), STRIP);
    for (size_t k = 0; k < inputs; k += CK_PAIR_INPUTS, to += 2 * STRIP) {
        const __mmask32 mask = ck_mask32_avx512(inputs - k);
        for (size_t column = 0; column < STRIP; column += 16) {
            size_t count = outputs > column ? outputs - column : 0;
            pack_pairs(w + column * w_stride + k, w_stride, count, mask, to + column, lane_stride);
        }
    }
}

static void pack_weights(ck_float_type type, const void *w, size_t w_stride, size_t outputs, size_t inputs,
                         float *panel) {
    switch (type) {
    case CK_F32: pack_strip(CK_F32, w, w_stride, outputs, inputs, panel); break;
    case CK_F16: pack_strip(CK_F16, w, w_stride, outputs, inputs, panel); break;
    case CK_BF16: pack_pair_strip(w, w_stride, outputs, inputs, panel); break;
    }
}

// One lane of one tile.
CK_INLINE void multiply_tile(int rows, const float *w, const float *x, size_t elements, bool begins, float *sums) {
    __m512 acc[TILE_ROWS][2];
    CK_UNROLL
    for (int r = 0; r < rows; r++) {
        acc[r][0] = begins ? _mm512_setzero_ps() : _mm512_loadu_ps(sums + r * STRIP);
        acc[r][1] = begins ? _mm512_setzero_ps() : _mm512_loadu_ps(sums + r * STRIP + 16);
    }
    for (size_t element = 0; element < elements; element++, w += STRIP, x += rows) {
        __m512 w0 = _mm512_loadu_ps(w), w1 = _mm512_loadu_ps(w + 16);
        CK_UNROLL
        for (int r = 0; r < rows; r++) {
            __m512 value = _mm512_set1_ps(x[r]);
            acc[r][0] = _mm512_fmadd_ps(w0, value, acc[r][0]);
            acc[r][1] = _mm512_fmadd_ps(w1, value, acc[r][1]);
        }
    }
    CK_UNROLL
    for (int r = 0; r < rows; r++) {
        _mm512_storeu_ps(sums + r * STRIP, acc[r][0]);
        _mm512_storeu_ps(sums + r * STRIP + 16, acc[r][1]);
    }
}

static void multiply_panel(const float *panel, const float *packed, size_t rows, size_t row_elements,
                           size_t first_element, size_t elements, const uint8_t *next, size_t next_bytes,
                           float *sums) {
    const size_t tiles = ck_tile_count(rows, TILE_ROWS), lane_stride = elements * STRIP + CK_PANEL_PAD;
    const bool begins = first_element == 0;
    for (size_t lane = 0; lane < CK_LANES; lane++) {
        for (size_t end = next_bytes * (lane + 1) / CK_LANES, at = next_bytes * lane / CK_LANES; at < end; at += 64) {
            _mm_prefetch((const char *)next + at, _MM_HINT_T1);
        }
        const float *w = panel + lane * lane_stride;
        for (size_t tile = 0; tile < tiles; tile++) {
            size_t start = ck_tile_start(rows, tiles, tile), count = ck_tile_start(rows, tiles, tile + 1) - start;
            const float *x = packed + (lane * rows + start) * row_elements + first_element * count;
            float *to = sums + (lane * rows + start) * STRIP;
            switch (count) {
            case 1: multiply_tile(1, w, x, elements, begins, to); break;
            case 2: multiply_tile(2, w, x, elements, begins, to); break;
            case 3: multiply_tile(3, w, x, elements, begins, to); break;
            case 4: multiply_tile(4, w, x, elements, begins, to); break;
            case 5: multiply_tile(5, w, x, elements, begins, to); break;
            case 6: multiply_tile(6, w, x, elements, begins, to); break;
            case 7: multiply_tile(7, w, x, elements, begins, to); break;
            case 8: multiply_tile(8, w, x, elements, begins, to); break;
            case 9: multiply_tile(9, w, x, elements, begins, to); break;
            case 10: multiply_tile(10, w, x, elements, begins, to); break;
            case 11: multiply_tile(11, w, x, elements, begins, to); break;
            case 12: multiply_tile(12, w, x, elements, begins, to); break;
            }
        }
    }
}

static void fold_panel(const float *sums, size_t rows, size_t outputs, float *y, size_t y_stride) {
    const size_t lane_stride = rows * STRIP;
    for (size_t r = 0; r < rows; r++) {
        for (size_t column = 0; column < outputs; column += 16) {
            const float *at = sums + r * STRIP + column;
            __m512 a[8];
            for (size_t i = 0; i < 8; i++) {
                __m512 low = _mm512_loadu_ps(at + i * lane_stride), high = _mm512_loadu_ps(at + (i + 8) * lane_stride);
                a[i] = _mm512_add_ps(low, high);
            }
            for (size_t i = 0; i < 4; i++) a[i] = _mm512_add_ps(a[i], a[i + 4]);
            __m512 sum = _mm512_add_ps(_mm512_add_ps(a[0], a[2]), _mm512_add_ps(a[1], a[3]));
            _mm512_mask_storeu_ps(y + r * y_stride + column, ck_mask16_avx512(outputs - column), sum);
        }
    }
}

#pragma clang attribute pop

void ck_init_panel_avx512(ck_kernels *table) {
    table->strip = STRIP;
    table->tile_rows = TILE_ROWS;
    table->panel_rows_min = 24;
    table->pack_rows = pack_rows;
    table->pack_weights = pack_weights;
    table->multiply_panel = multiply_panel;
    table->fold_panel = fold_panel;
}
#endif
