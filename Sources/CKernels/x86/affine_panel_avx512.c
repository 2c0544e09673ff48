// Many int8 rows × affine weights in AVX-512 VNNI: strips of 32 outputs, tiles of up to 12 rows (panel.h).
//
// A panel holds weights one a byte. A step is four inputs of each output, what one lane of dpbusd multiplies; at 4 bits
// the steps of even and of odd inputs take turns, as x is ordered.
#if defined(__x86_64__)
#include "../panel.h"
#include "../worker.h"
#include "avx512.h"
#include "x86.h"

#define STRIP 32
#define TILE_ROWS 12
#define STEP_INPUTS 4
#define STEP_BYTES (STEP_INPUTS * STRIP)
// Inputs of a panel: with few rows it stays in the first-level cache, with many in the second.
#define PANEL_INPUTS_FEW_ROWS 512
#define PANEL_INPUTS 4096

// What an arena holds: [step, output, 4] bytes, scales and biases [group, 2, STRIP], and the tiles' lanes
// [tile, lane, row, STRIP].
typedef struct {
    uint8_t weights[PANEL_INPUTS * STRIP];
    float scales[PANEL_INPUTS / CK_GROUP_MIN * 2 * STRIP];
    float lanes[CK_PANEL_ROWS_MAX / TILE_ROWS + 1][CK_GROUP_LANES][TILE_ROWS][STRIP];
} affine_arena;
_Static_assert(sizeof(affine_arena) <= CK_AFFINE_ARENA_BYTES, "");

#pragma clang attribute push(CK_AVX512, apply_to = function)

// `bytes` bytes of each row.
CK_INLINE void pack_bytes(int bits, const uint8_t *w, size_t row_bytes, size_t bytes, size_t outputs, uint8_t *to) {
    const __m512i mask = _mm512_set1_epi8(15);
    for (size_t at = 0; at < bytes; at += 64, to += (bits == 4 ? 32 : 16) * STEP_BYTES) {
        for (size_t column = 0; column < STRIP; column += 16) {
            __m512 v[16];
            for (size_t o = 0; o < 16; o++) {
                const uint8_t *from = w + (column + o) * row_bytes + at;
                v[o] = column + o < outputs ? _mm512_loadu_ps(from) : _mm512_setzero_ps();
            }
            ck_transpose16_avx512(v);
            for (size_t i = 0; i < 16; i++) {
                __m512i four = _mm512_castps_si512(v[i]);
                if (bits == 8) {
                    _mm512_storeu_si512(to + i * STEP_BYTES + column * 4, four);
                    continue;
                }
                uint8_t *even = to + 2 * i * STEP_BYTES + column * 4;
                _mm512_storeu_si512(even, _mm512_and_si512(four, mask));
                _mm512_storeu_si512(even + STEP_BYTES, _mm512_and_si512(_mm512_srli_epi16(four, 4), mask));
            }
        }
    }
}

// Scales or biases of eight outputs for groups first_group ..< first_group + groups, into columns of [group, 2, STRIP].
CK_INLINE void pack_scales(const ck_matrix *matrix, const void *values, size_t first_output, size_t outputs,
                           size_t first_group, size_t groups, float *to) {
    for (size_t g = 0; g < groups; g += 8) {
        __m256 v[8];
        for (size_t o = 0; o < 8; o++) {
            v[o] = _mm256_setzero_ps();
            if (o >= outputs) continue;
            const void *row = ck_scales_row(matrix, values, first_output + o);
            v[o] = ck_load_scales_avx2(matrix->scale_type, row, first_group + g, first_group + groups);
        }
        ck_transpose8_avx2(v);
        for (size_t i = 0; i < ck_min_size(8, groups - g); i++) _mm256_storeu_ps(to + (g + i) * 2 * STRIP, v[i]);
    }
}

// Groups first_group ..< first_group + groups of a strip.
static void pack_panel(const ck_matrix *matrix, size_t first_output, size_t outputs, size_t first_group, size_t groups,
                       affine_arena *arena) {
    const size_t row_bytes = ck_matrix_row_bytes(matrix), group_bytes = (size_t)matrix->group / 8 * matrix->bits;
    const uint8_t *w = ck_matrix_row(matrix, first_output) + first_group * group_bytes;
    if (matrix->bits == 4) {
        pack_bytes(4, w, row_bytes, groups * group_bytes, outputs, arena->weights);
    } else {
        pack_bytes(8, w, row_bytes, groups * group_bytes, outputs, arena->weights);
    }
    for (size_t column = 0; column < STRIP; column += 8) {
        size_t count = outputs > column ? ck_min_size(8, outputs - column) : 0;
        float *to = arena->scales + column;
        pack_scales(matrix, matrix->scales, first_output + column, count, first_group, groups, to);
        pack_scales(matrix, matrix->biases, first_output + column, count, first_group, groups, to + STRIP);
    }
}

// Adds a step of the panel to the sums; its four values of x lie at `at`. The result is `at`, known only when the sums
// are: values of a later step, fetched early, would push sums out of their registers.
CK_INLINE const int8_t *add_step(int rows, const uint8_t *panel, const int8_t *at, size_t x_stride,
                                 __m512i sums[TILE_ROWS][2]) {
    __m512i w0 = _mm512_loadu_si512(panel), w1 = _mm512_loadu_si512(panel + 64);
    CK_UNROLL
    for (int r = 0; r < rows; r++) {
        int32_t four;
        memcpy(&four, at + (size_t)r * x_stride, sizeof four);
        __m512i value = _mm512_set1_epi32(four);
        sums[r][0] = _mm512_dpbusd_epi32(sums[r][0], w0, value);
        sums[r][1] = _mm512_dpbusd_epi32(sums[r][1], w1, value);
    }
    __asm__("" : "+r"(at), "+v"(sums[rows - 1][1]));
    return at;
}

// Adds the panel's groups to the lanes [lane, row, STRIP] of a tile.
CK_INLINE void multiply_tile(int bits, int rows, const affine_arena *arena, size_t group, const ck_quantized_rows *x,
                             size_t row, size_t first_group, size_t groups, const uint8_t *next, float *lanes) {
    const int8_t *values = x->values + row * x->value_stride;
    const uint8_t *panel = arena->weights;
    const float *scales = arena->scales;
    const size_t x_stride = x->value_stride;
    for (size_t g = first_group; g < first_group + groups; g++, scales += 2 * STRIP) {
        __m512i sums[TILE_ROWS][2];
        CK_UNROLL
        for (int r = 0; r < rows; r++) sums[r][0] = sums[r][1] = _mm512_setzero_si512();
        const int8_t *at = values + (bits == 4 ? ck_avx512_index(g * group) : g * group);
        for (size_t i = 0; i < group; i += STEP_INPUTS, panel += STEP_BYTES) {
            // What the next strip will read, at the rate at which this one is used: memory works while sums are formed.
            if (next != NULL) {
                _mm_prefetch((const char *)next, _MM_HINT_T1);
                _mm_prefetch((const char *)next + 64, _MM_HINT_T1);
                next += 128;
            }
            at = add_step(rows, panel, at, x_stride, sums);
            if (bits == 4) {
                // The odd inputs' turn.
                i += STEP_INPUTS;
                panel += STEP_BYTES;
                at = add_step(rows, panel, at + 64, x_stride, sums) - 64;
            }
            at += STEP_INPUTS;
        }
        CK_UNROLL
        for (int r = 0; r < rows; r++) {
            size_t of_x = (row + (size_t)r) * x->group_stride + g;
            __m512 x_scale = _mm512_set1_ps(x->scales[of_x]), x_sum = _mm512_set1_ps(x->sums[of_x]);
            CK_UNROLL
            for (int v = 0; v < 2; v++) {
                float *lane = lanes + (g % CK_GROUP_LANES * TILE_ROWS + (size_t)r) * STRIP + (size_t)v * 16;
                __m512 factor = _mm512_mul_ps(_mm512_loadu_ps(scales + v * 16), x_scale);
                __m512 before = g < CK_GROUP_LANES ? _mm512_setzero_ps() : _mm512_loadu_ps(lane);
                __m512 sum = _mm512_fmadd_ps(factor, _mm512_cvtepi32_ps(sums[r][v]), before);
                sum = _mm512_fmadd_ps(_mm512_loadu_ps(scales + STRIP + v * 16), x_sum, sum);
                _mm512_storeu_ps(lane, sum);
            }
        }
    }
}

CK_INLINE void multiply_tiles(int bits, affine_arena *arena, size_t group, const ck_quantized_rows *x, size_t rows,
                              size_t first_group, size_t groups, const uint8_t *next) {
    size_t tiles = ck_tile_count(rows, TILE_ROWS);
    for (size_t tile = 0; tile < tiles; tile++, next = NULL) {
        size_t row = ck_tile_start(rows, tiles, tile), count = ck_tile_start(rows, tiles, tile + 1) - row;
        float *lanes = &arena->lanes[tile][0][0][0];
        switch (count) {
        case 1: multiply_tile(bits, 1, arena, group, x, row, first_group, groups, next, lanes); break;
        case 2: multiply_tile(bits, 2, arena, group, x, row, first_group, groups, next, lanes); break;
        case 3: multiply_tile(bits, 3, arena, group, x, row, first_group, groups, next, lanes); break;
        case 4: multiply_tile(bits, 4, arena, group, x, row, first_group, groups, next, lanes); break;
        case 5: multiply_tile(bits, 5, arena, group, x, row, first_group, groups, next, lanes); break;
        case 6: multiply_tile(bits, 6, arena, group, x, row, first_group, groups, next, lanes); break;
        case 7: multiply_tile(bits, 7, arena, group, x, row, first_group, groups, next, lanes); break;
        case 8: multiply_tile(bits, 8, arena, group, x, row, first_group, groups, next, lanes); break;
        case 9: multiply_tile(bits, 9, arena, group, x, row, first_group, groups, next, lanes); break;
        case 10: multiply_tile(bits, 10, arena, group, x, row, first_group, groups, next, lanes); break;
        case 11: multiply_tile(bits, 11, arena, group, x, row, first_group, groups, next, lanes); break;
        case 12: multiply_tile(bits, 12, arena, group, x, row, first_group, groups, next, lanes); break;
        }
    }
}

// One row of a tile: lanes [lane, row, STRIP], the groups missing from the last eight being zeros.
CK_INLINE void fold_row(const float *lanes, size_t groups, size_t outputs, float *y) {
    for (size_t column = 0; column < outputs; column += 16) {
        __m512 a[CK_GROUP_LANES];
        for (size_t lane = 0; lane < CK_GROUP_LANES; lane++) {
            a[lane] = _mm512_loadu_ps(lanes + lane * TILE_ROWS * STRIP + column);
            // Adding a zero turns −0 into 0, as the canon does.
            bool is_missing = groups % CK_GROUP_LANES != 0 && lane >= groups % CK_GROUP_LANES;
            if (is_missing) a[lane] = _mm512_add_ps(a[lane], _mm512_setzero_ps());
        }
        for (size_t i = 0; i < 4; i++) a[i] = _mm512_add_ps(a[i], a[i + 4]);
        __m512 sum = _mm512_add_ps(_mm512_add_ps(a[0], a[2]), _mm512_add_ps(a[1], a[3]));
        _mm512_mask_storeu_ps(y + column, ck_mask16_avx512(outputs - column), sum);
    }
}

static void multiply_affine_panel(const ck_matrix *matrix, size_t first_output, size_t outputs,
                                  const ck_quantized_rows *x, size_t rows, uint8_t *memory, float *y, size_t y_stride) {
    affine_arena *arena = (affine_arena *)memory;
    const size_t groups = matrix->inputs / matrix->group, tiles = ck_tile_count(rows, TILE_ROWS);
    const size_t inputs = rows <= CK_PANEL_FEW_ROWS ? PANEL_INPUTS_FEW_ROWS : PANEL_INPUTS;
    const size_t at_once = inputs / matrix->group;
    const uint8_t *next = ck_matrix_row(matrix, first_output + STRIP);
    // Every lane begins with its first group, if it has one.
    if (groups < CK_GROUP_LANES) memset(arena->lanes, 0, tiles * sizeof arena->lanes[0]);
    for (size_t g = 0; g < groups; g += at_once) {
        size_t count = ck_min_size(at_once, groups - g);
        pack_panel(matrix, first_output, outputs, g, count, arena);
        if (matrix->bits == 4) {
            multiply_tiles(4, arena, matrix->group, x, rows, g, count, next);
        } else {
            multiply_tiles(8, arena, matrix->group, x, rows, g, count, next);
        }
        next += count * matrix->group / 8 * matrix->bits * STRIP;
    }
    for (size_t tile = 0; tile < tiles; tile++) {
        size_t row = ck_tile_start(rows, tiles, tile), count = ck_tile_start(rows, tiles, tile + 1) - row;
        for (size_t r = 0; r < count; r++) {
            fold_row(&arena->lanes[tile][0][r][0], groups, outputs, y + (row + r) * y_stride);
        }
    }
}

#pragma clang attribute pop

void ck_init_affine_panel_avx512(ck_kernels *table) {
    table->affine_panel_rows_min = 4;
    table->multiply_affine_panel = multiply_affine_panel;
}
#endif
