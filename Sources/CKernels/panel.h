// How many-row products are laid out: weights of a strip of outputs as a panel, rows in tiles, both in the order of
// use.
//
// A panel's vectors hold outputs, not inputs, so that a sum stays in one place of a vector and nothing is folded
// across. The canon is kept by taking the lanes of a sum one after the other: a pass over lane l adds elements l, l +
// 16, … in order. A panel holds a block of inputs; the sums of all lanes wait in memory from block to block and are
// folded last.
#ifndef CK_PANEL_H
#define CK_PANEL_H

#include "kernels.h"

// Rows multiplied in one go; more are taken in chunks, whose weights are packed anew (a few per cent of their work).
// Bounds scratch and the sums of a strip.
#define CK_PANEL_ROWS_MAX 256
// The widest strip of outputs of any instruction set.
#define CK_PANEL_OUTPUTS_MAX 32
// Inputs of a float panel. With few rows a panel that stays in the first-level cache pays, with many one whose sums are
// seldom put away and fetched again.
#define CK_PANEL_INPUTS_MAX 2048
#define CK_PANEL_INPUTS_FEW_ROWS 256
#define CK_PANEL_FEW_ROWS 24
// Floats between the lanes of a panel beyond its elements, so that they do not all fall into the same cache sets.
#define CK_PANEL_PAD 16

// Elements that each lane has of `inputs` inputs.
static inline size_t ck_lane_elements(size_t inputs) { return (inputs + CK_LANES - 1) / CK_LANES; }

// Floats from one lane to the next of a panel [lane, element, output].
static inline size_t ck_panel_lane_stride(size_t inputs, size_t strip) {
    return ck_lane_elements(inputs) * strip + CK_PANEL_PAD;
}

// Floats of packed rows [lane, tile, element, row of tile].
static inline size_t ck_packed_rows_floats(size_t rows, size_t inputs) {
    return rows * ck_lane_elements(inputs) * CK_LANES;
}

#endif
