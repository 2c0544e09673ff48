// e to a float power: the canon's own polynomial, the same operations in every instruction set.
#ifndef CK_EXPONENTIAL_H
#define CK_EXPONENTIAL_H

#include "kernels.h"

// exp(x) = 2ⁿ · exp(r) with n = round(x / ln 2), |r| ≤ ln 2 / 2; ln 2 in two parts keeps r exact to float precision.
#define CK_EXP_LOG2E 0x1.715476p+0f
#define CK_EXP_LN2_HIGH 0x1.62e43p-1f
#define CK_EXP_LN2_LOW (-0x1.05c61p-29f)
// Adding 1.5 · 2²³ rounds to an integer, which then stands in the low bits.
#define CK_EXP_ROUNDER 0x1.8p+23f
// Below, the result rounds to 0; above, to infinity. Between them 2ⁿ splits into two normal factors.
#define CK_EXP_MIN (-104.0f)
#define CK_EXP_MAX 89.0f
// exp(r) ≈ 1 + r + r² · (C0 + C1 r + … + C4 r⁴), a least-squares fit at Chebyshev nodes with the coefficients rounded
// one after the other; relative error 4.1e-9, so that float rounding decides the result.
#define CK_EXP_C0 0x1.0p-1f
#define CK_EXP_C1 0x1.55548ep-3f
#define CK_EXP_C2 0x1.5555b4p-5f
#define CK_EXP_C3 0x1.123bd2p-7f
#define CK_EXP_C4 0x1.6c6094p-10f

// gelu(x) = x · logistic(2u) with 2u = x · (LINEAR + CUBIC x²): 2 √(2/π), and that times 0.044715.
#define CK_GELU_LINEAR 0x1.988454p+0f
#define CK_GELU_CUBIC 0x1.2444f2p-4f

static inline float ck_exp(float x) {
    x = x > CK_EXP_MIN || x != x ? x : CK_EXP_MIN;
    x = x < CK_EXP_MAX || x != x ? x : CK_EXP_MAX;
    float shifted = fmaf(x, CK_EXP_LOG2E, CK_EXP_ROUNDER);
    float n = shifted - CK_EXP_ROUNDER;
    float r = fmaf(n, -CK_EXP_LN2_HIGH, x);
    r = fmaf(n, -CK_EXP_LN2_LOW, r);
    float p = fmaf(CK_EXP_C4, r, CK_EXP_C3);
    p = fmaf(p, r, CK_EXP_C2);
    p = fmaf(p, r, CK_EXP_C1);
    p = fmaf(p, r, CK_EXP_C0);
    p = fmaf(p * r, r, r) + 1.0f;
    uint32_t exponent = ck_bits_of(shifted) - ck_bits_of(CK_EXP_ROUNDER);
    uint32_t half = (uint32_t)((int32_t)exponent >> 1);
    float first = ck_float_of((half + 127u) << 23);
    float second = ck_float_of((exponent - half + 127u) << 23);
    return p * first * second;
}

#endif
