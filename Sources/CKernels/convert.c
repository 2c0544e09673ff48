// Conversions between float32 and the half-width types in portable C.
#include "kernels.h"

static void f16_from_f32(const float *from, size_t count, uint16_t *to) {
    for (size_t i = 0; i < count; i++) to[i] = ck_f16_from_float(from[i]);
}

static void bf16_from_f32(const float *from, size_t count, uint16_t *to) {
    for (size_t i = 0; i < count; i++) to[i] = ck_bf16_from_float(from[i]);
}

static void f32_from_f16(const uint16_t *from, size_t count, float *to) {
    for (size_t i = 0; i < count; i++) to[i] = ck_float_from_f16(from[i]);
}

static void f32_from_bf16(const uint16_t *from, size_t count, float *to) {
    for (size_t i = 0; i < count; i++) to[i] = ck_float_from_bf16(from[i]);
}

void ck_init_convert_portable(ck_kernels *table) {
    table->f16_from_f32 = f16_from_f32;
    table->bf16_from_f32 = bf16_from_f32;
    table->f32_from_f16 = f32_from_f16;
    table->f32_from_bf16 = f32_from_bf16;
}
