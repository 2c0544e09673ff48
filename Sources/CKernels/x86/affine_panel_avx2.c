// Many int8 rows × affine weights in AVX2: strips of 16 outputs, tiles of up to 6 rows (panel.h).
//
// A panel holds 4-bit halves of weights, one a byte, so that products of eight steps fit 16-bit sums before they are
// widened; 8-bit weights are two planes, the low halves and the high ones, whose sums count sixteenfold. A step is four
// inputs of each output, a block 32 inputs, eight steps.
#if defined(__x86_64__)
#include "../panel.h"
#include "avx2.h"
#include "x86.h"
#include "../worker.h"

#define STRIP 16
#define TILE_ROWS 6
#define BLOCK_INPUTS 32
#define STEPS 8
#define PLANE_BYTES (BLOCK_INPUTS * STRIP)
// Inputs of a panel: with few rows it stays in the first-level cache, with many in the second.
#define PANEL_INPUTS_FEW_ROWS 1024
#define PANEL_INPUTS 4096

// What an arena holds: [block, plane, step, output, 4] bytes, scales and biases [group, 2, STRIP], and the tiles' lanes
// [tile, lane, row, STRIP].
typedef struct {
    uint8_t weights[PANEL_INPUTS * STRIP * 2];
    float scales[PANEL_INPUTS / CK_GROUP_MIN * 2 * STRIP];
    float lanes[CK_PANEL_ROWS_MAX / TILE_ROWS + 1][CK_GROUP_LANES][TILE_ROWS][STRIP];
} affine_arena;
_Static_assert(sizeof(affine_arena) <= CK_AFFINE_ARENA_BYTES, "");

#pragma clang attribute push(CK_AVX2, apply_to = function)

// Rows of eight 32-bit elements become columns.
CK_INLINE void transpose8(__m256i v[8]) {
    __m256i pairs[8], quads[8];
    for (int i = 0; i < 8; i += 2) {
        pairs[i] = _mm256_unpacklo_epi32(v[i], v[i + 1]);
        pairs[i + 1] = _mm256_unpackhi_epi32(v[i], v[i + 1]);
    }
    for (int i = 0; i < 8; i += 4) {
        quads[i] = _mm256_unpacklo_epi64(pairs[i], pairs[i + 2]);
        quads[i + 1] = _mm256_unpackhi_epi64(pairs[i], pairs[i + 2]);
        quads[i + 2] = _mm256_unpacklo_epi64(pairs[i + 1], pairs[i + 3]);
        quads[i + 3] = _mm256_unpackhi_epi64(pairs[i + 1], pairs[i + 3]);
    }
    for (int i = 0; i < 4; i++) {
        v[i] = _mm256_permute2x128_si256(quads[i], quads[i + 4], 0x20);
        v[i + 4] = _mm256_permute2x128_si256(quads[i], quads[i + 4], 0x31);
    }
}

CK_INLINE void store32(uint8_t *to, __m256i bytes) { _mm256_storeu_si256((__m256i *)to, bytes); }

// 32 bytes of each of eight outputs, as eight columns of four bytes.
CK_INLINE void load_columns(const uint8_t *w, size_t row_bytes, size_t outputs, __m256i v[8]) {
    for (size_t o = 0; o < 8; o++) {
        v[o] = o < outputs ? _mm256_loadu_si256((const __m256i *)(w + o * row_bytes)) : _mm256_setzero_si256();
    }
    transpose8(v);
}

// `bytes` bytes of each row. 32 of them are two blocks at 4 bits, one at 8 bits.
CK_INLINE void pack_bytes(int bits, const uint8_t *w, size_t row_bytes, size_t bytes, size_t outputs, uint8_t *to) {
    const __m256i mask = _mm256_set1_epi8(15);
    for (size_t at = 0; at < bytes; at += 32, to += 2 * PLANE_BYTES) {
        __m256i v[2][8];
        load_columns(w + at, row_bytes, outputs, v[0]);
        load_columns(w + 8 * row_bytes + at, row_bytes, outputs > 8 ? outputs - 8 : 0, v[1]);
        for (size_t i = 0; i < 8; i++) {
            // At 4 bits even inputs, then odd ones, as x is ordered; at 8 bits the low plane, then the high one.
            size_t low_at = bits == 4 ? i * 2 * STRIP * 4 : i * STRIP * 4;
            size_t high_at = bits == 4 ? low_at + STRIP * 4 : low_at + PLANE_BYTES;
            for (size_t half = 0; half < 2; half++) {
                __m256i low = _mm256_and_si256(v[half][i], mask);
                __m256i high = _mm256_and_si256(_mm256_srli_epi16(v[half][i], 4), mask);
                store32(to + low_at + half * 32, low);
                store32(to + high_at + half * 32, high);
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

// Where step `step` of block `block` finds its four values of x: 4-bit blocks are halves of 64 values in even-odd
// order.
CK_INLINE size_t x_offset(int bits, size_t block, size_t step) {
    if (bits == 8) return block * BLOCK_INPUTS + step * 4;
    return block / 2 * 64 + block % 2 * 16 + step / 2 * 4 + step % 2 * 32;
}

// Σ q · x over one block and plane in 16 bits, times `weight`, as 32-bit sums.
CK_INLINE void block_sums(int bits, int rows, const uint8_t *w, const int8_t *x, size_t x_stride, size_t block,
                          int weight, bool is_first, __m256i sums[TILE_ROWS][2]) {
    __m256i narrow[TILE_ROWS][2];
    for (size_t step = 0; step < STEPS; step++, w += STRIP * 4) {
        __m256i w0 = _mm256_loadu_si256((const __m256i *)w), w1 = _mm256_loadu_si256((const __m256i *)(w + 32));
        CK_UNROLL
        for (int r = 0; r < rows; r++) {
            int32_t four;
            memcpy(&four, x + (size_t)r * x_stride + x_offset(bits, block, step), sizeof four);
            __m256i values = _mm256_set1_epi32(four);
            __m256i p0 = _mm256_maddubs_epi16(w0, values), p1 = _mm256_maddubs_epi16(w1, values);
            narrow[r][0] = step == 0 ? p0 : _mm256_add_epi16(narrow[r][0], p0);
            narrow[r][1] = step == 0 ? p1 : _mm256_add_epi16(narrow[r][1], p1);
        }
    }
    CK_UNROLL
    for (int r = 0; r < rows; r++) {
        CK_UNROLL
        for (int v = 0; v < 2; v++) {
            __m256i wide = _mm256_madd_epi16(narrow[r][v], _mm256_set1_epi16((short)weight));
            sums[r][v] = is_first ? wide : _mm256_add_epi32(sums[r][v], wide);
        }
    }
    // The sums are to wait in memory: held in registers they would push the narrow sums of the next block out of
    // theirs.
    __asm__ volatile("" : : "r"(sums) : "memory");
}

// Adds the panel's groups to the lanes [lane, row, STRIP] of a tile.
CK_INLINE void multiply_tile(int bits, int group, int rows, const affine_arena *arena, const ck_quantized_rows *x,
                             size_t row, size_t first_group, size_t groups, const uint8_t *next, float *lanes) {
    const int8_t *values = x->values + row * x->value_stride;
    const uint8_t *panel = arena->weights;
    const float *scales = arena->scales;
    for (size_t g = first_group; g < first_group + groups; g++, scales += 2 * STRIP) {
        __m256i sums[TILE_ROWS][2];
        for (int b = 0; b < group / BLOCK_INPUTS; b++) {
            size_t block = g * (size_t)(group / BLOCK_INPUTS) + (size_t)b;
            // What the next strip will read, at the rate at which this one is used: memory works while sums are formed.
            for (int line = 0; line < bits && next != NULL; line++, next += 64) {
                _mm_prefetch((const char *)next, _MM_HINT_T1);
            }
            block_sums(bits, rows, panel, values, x->value_stride, block, 1, b == 0, sums);
            panel += PLANE_BYTES;
            if (bits == 4) continue;
            block_sums(bits, rows, panel, values, x->value_stride, block, 16, false, sums);
            panel += PLANE_BYTES;
        }
        CK_UNROLL
        for (int r = 0; r < rows; r++) {
            size_t at = (row + (size_t)r) * x->group_stride + g;
            __m256 x_scale = _mm256_broadcast_ss(x->scales + at), x_sum = _mm256_broadcast_ss(x->sums + at);
            CK_UNROLL
            for (int v = 0; v < 2; v++) {
                float *lane = lanes + (g % CK_GROUP_LANES * TILE_ROWS + (size_t)r) * STRIP + (size_t)v * 8;
                __m256 factor = _mm256_mul_ps(_mm256_loadu_ps(scales + v * 8), x_scale);
                __m256 before = g < CK_GROUP_LANES ? _mm256_setzero_ps() : _mm256_loadu_ps(lane);
                __m256 sum = _mm256_fmadd_ps(factor, _mm256_cvtepi32_ps(sums[r][v]), before);
                sum = _mm256_fmadd_ps(_mm256_loadu_ps(scales + STRIP + v * 8), x_sum, sum);
                _mm256_storeu_ps(lane, sum);
            }
        }
    }
}

CK_INLINE void multiply_tiles(int bits, int group, affine_arena *arena, const ck_quantized_rows *x, size_t rows,
                              size_t first_group, size_t groups, const uint8_t *next) {
    size_t tiles = ck_tile_count(rows, TILE_ROWS);
    for (size_t tile = 0; tile < tiles; tile++, next = NULL) {
        size_t row = ck_tile_start(rows, tiles, tile), count = ck_tile_start(rows, tiles, tile + 1) - row;
        float *lanes = &arena->lanes[tile][0][0][0];
        switch (count) {
        case 1: multiply_tile(bits, group, 1, arena, x, row, first_group, groups, next, lanes); break;
        case 2: multiply_tile(bits, group, 2, arena, x, row, first_group, groups, next, lanes); break;
        case 3: multiply_tile(bits, group, 3, arena, x, row, first_group, groups, next, lanes); break;
        case 4: multiply_tile(bits, group, 4, arena, x, row, first_group, groups, next, lanes); break;
        case 5: multiply_tile(bits, group, 5, arena, x, row, first_group, groups, next, lanes); break;
        case 6: multiply_tile(bits, group, 6, arena, x, row, first_group, groups, next, lanes); break;
        }
    }
}

CK_INLINE void multiply_groups(int bits, affine_arena *arena, uint32_t group, const ck_quantized_rows *x, size_t rows,
                               size_t first_group, size_t groups, const uint8_t *next) {
    switch (group) {
    case 32: multiply_tiles(bits, 32, arena, x, rows, first_group, groups, next); break;
    case 64: multiply_tiles(bits, 64, arena, x, rows, first_group, groups, next); break;
    default: multiply_tiles(bits, 128, arena, x, rows, first_group, groups, next); break;
    }
}

// One row of a tile: lanes [lane, row, STRIP], the groups missing from the last eight being zeros.
CK_INLINE void fold_row(const float *lanes, size_t groups, size_t outputs, float *y) {
    for (size_t column = 0; column < outputs; column += 8) {
        __m256 a[CK_GROUP_LANES];
        for (size_t lane = 0; lane < CK_GROUP_LANES; lane++) {
            a[lane] = _mm256_loadu_ps(lanes + lane * TILE_ROWS * STRIP + column);
            // Adding a zero turns −0 into 0, as the canon does.
            bool is_missing = groups % CK_GROUP_LANES != 0 && lane >= groups % CK_GROUP_LANES;
            if (is_missing) a[lane] = _mm256_add_ps(a[lane], _mm256_setzero_ps());
        }
        for (size_t i = 0; i < 4; i++) a[i] = _mm256_add_ps(a[i], a[i + 4]);
        __m256 sum = _mm256_add_ps(_mm256_add_ps(a[0], a[2]), _mm256_add_ps(a[1], a[3]));
        _mm256_maskstore_ps(y + column, ck_mask8_avx2(outputs - column), sum);
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
            multiply_groups(4, arena, matrix->group, x, rows, g, count, next);
        } else {
            multiply_groups(8, arena, matrix->group, x, rows, g, count, next);
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

void ck_init_affine_panel_avx2(ck_kernels *table) {
    table->affine_panel_rows_min = 5;
    table->multiply_affine_panel = multiply_affine_panel;
}
#endif
