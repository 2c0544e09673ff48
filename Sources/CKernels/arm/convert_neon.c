// Conversions between float32 and f16 in NEON; those of bf16 the compiler makes from portable C.
#if defined(__aarch64__)
#include "neon.h"
#include "arm.h"

#pragma clang attribute push(CK_NEON, apply_to = function)

static void f16_from_f32(const float *from, size_t count, uint16_t *to) {
    size_t i = 0;
    for (; i + 4 <= count; i += 4) vst1_u16(to + i, vreinterpret_u16_f16(vcvt_f16_f32(vld1q_f32(from + i))));
    for (; i < count; i++) to[i] = ck_f16_from_float(from[i]);
}

static void f32_from_f16(const uint16_t *from, size_t count, float *to) {
    size_t i = 0;
    for (; i + 4 <= count; i += 4) vst1q_f32(to + i, ck_load4_neon(CK_F16, from, i));
    for (; i < count; i++) to[i] = ck_float_from_f16(from[i]);
}

#pragma clang attribute pop

void ck_init_convert_neon(ck_kernels *table) {
    table->f16_from_f32 = f16_from_f32;
    table->f32_from_f16 = f32_from_f16;
}
#endif
