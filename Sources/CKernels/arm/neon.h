// What the NEON files share. Include it first: everything after it may be compiled for Armv8.2-A with dotprod.
#ifndef CK_ARM_NEON_H
#define CK_ARM_NEON_H

#include "../kernels.h"

#include <arm_neon.h>

#define CK_INLINE static inline __attribute__((always_inline))
// Before a loop over registers, whose count is a constant where the function is inlined.
#define CK_UNROLL _Pragma("clang loop unroll(full)")
#define CK_NEON __attribute__((target("dotprod")))

#pragma clang attribute push(CK_NEON, apply_to = function)

// Sixteen lanes of the canon: lanes 4i … 4i + 3 in v[i].
typedef struct {
    float32x4_t v[4];
} ck_sixteen;

CK_INLINE float ck_fold4_neon(float32x4_t lanes) {
    float32x2_t two = vadd_f32(vget_low_f32(lanes), vget_high_f32(lanes));
    return vget_lane_f32(two, 0) + vget_lane_f32(two, 1);
}

CK_INLINE float ck_fold16_neon(ck_sixteen lanes) {
    float32x4_t low = vaddq_f32(lanes.v[0], lanes.v[2]), high = vaddq_f32(lanes.v[1], lanes.v[3]);
    return ck_fold4_neon(vaddq_f32(low, high));
}

// Four values of `type` from values + index.
CK_INLINE float32x4_t ck_load4_neon(ck_float_type type, const void *values, size_t index) {
    if (type == CK_F32) return vld1q_f32((const float *)values + index);
    uint16x4_t halves = vld1_u16((const uint16_t *)values + index);
    if (type == CK_F16) return vcvt_f32_f16(vreinterpret_f16_u16(halves));
    return vreinterpretq_f32_u32(vshll_n_u16(halves, 16));
}

#pragma clang attribute pop

#endif
