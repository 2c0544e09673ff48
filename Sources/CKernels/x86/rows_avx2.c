// Row operations in AVX2: norm, rotary embedding, gated activation, sum.
#if defined(__x86_64__)
#include "avx2.h"
#include "x86.h"

#pragma clang attribute push(CK_AVX2, apply_to = function)

static void rms_norm_row(const float *x, const float *weight, float offset, float epsilon, size_t columns,
                         float *out) {
    ck_sixteen lanes = {_mm256_setzero_ps(), _mm256_setzero_ps()};
    for (size_t i = 0; i < columns; i += CK_LANES) {
        size_t left = columns - i;
        __m256 low, high;
        if (left >= CK_LANES) {
            low = _mm256_loadu_ps(x + i);
            high = _mm256_loadu_ps(x + i + 8);
        } else {
            low = _mm256_maskload_ps(x + i, ck_mask8_avx2(left));
            high = _mm256_maskload_ps(x + i + 8, ck_mask8_avx2(left < 8 ? 0 : left - 8));
        }
        lanes.low = _mm256_fmadd_ps(low, low, lanes.low);
        lanes.high = _mm256_fmadd_ps(high, high, lanes.high);
    }
    float factor = 1.0f / sqrtf(ck_fold16_avx2(lanes) / (float)columns + epsilon);
    __m256 factors = _mm256_set1_ps(factor), offsets = _mm256_set1_ps(offset);
    size_t i = 0;
    for (; i + 8 <= columns; i += 8) {
        __m256 scaled = _mm256_mul_ps(_mm256_loadu_ps(x + i), factors);
        __m256 weights = _mm256_add_ps(_mm256_loadu_ps(weight + i), offsets);
        _mm256_storeu_ps(out + i, _mm256_mul_ps(scaled, weights));
    }
    for (; i < columns; i++) out[i] = x[i] * factor * (weight[i] + offset);
}

static void rotate_halves(float *x, const float *cosines, const float *sines, size_t half) {
    size_t i = 0;
    for (; i + 8 <= half; i += 8) {
        __m256 first = _mm256_loadu_ps(x + i), second = _mm256_loadu_ps(x + half + i);
        __m256 cosine = _mm256_loadu_ps(cosines + i), sine = _mm256_loadu_ps(sines + i);
        _mm256_storeu_ps(x + i, _mm256_fmsub_ps(first, cosine, _mm256_mul_ps(second, sine)));
        _mm256_storeu_ps(x + half + i, _mm256_fmadd_ps(second, cosine, _mm256_mul_ps(first, sine)));
    }
    for (; i < half; i++) {
        float first = x[i], second = x[half + i];
        x[i] = fmaf(first, cosines[i], -(second * sines[i]));
        x[half + i] = fmaf(second, cosines[i], first * sines[i]);
    }
}

static void rotate_neighbours(float *x, const float *cosines, const float *sines, size_t half) {
    for (size_t i = 0; i < half; i++) {
        float first = x[2 * i], second = x[2 * i + 1];
        x[2 * i] = fmaf(first, cosines[i], -(second * sines[i]));
        x[2 * i + 1] = fmaf(second, cosines[i], first * sines[i]);
    }
}

static void rope_row(float *x, const float *cosines, const float *sines, size_t heads, size_t head_dim, size_t rotary,
                     bool interleaved) {
    for (size_t head = 0; head < heads; head++, x += head_dim) {
        if (interleaved) {
            rotate_neighbours(x, cosines, sines, rotary / 2);
        } else {
            rotate_halves(x, cosines, sines, rotary / 2);
        }
    }
}

static void silu_multiply(const float *gate, const float *up, size_t count, float *out) {
    const __m256 one = _mm256_set1_ps(1.0f), sign = _mm256_set1_ps(-0.0f);
    for (size_t i = 0; i < count; i += 8) {
        __m256i mask = ck_mask8_avx2(count - i);
        __m256 g = _mm256_maskload_ps(gate + i, mask), u = _mm256_maskload_ps(up + i, mask);
        __m256 e = ck_exp_avx2(_mm256_xor_ps(g, sign));
        __m256 silu = _mm256_div_ps(g, _mm256_add_ps(one, e));
        _mm256_maskstore_ps(out + i, mask, _mm256_mul_ps(silu, u));
    }
}

static void gelu_multiply(const float *gate, const float *up, size_t count, float *out) {
    const __m256 one = _mm256_set1_ps(1.0f), sign = _mm256_set1_ps(-0.0f);
    const __m256 linear = _mm256_set1_ps(CK_GELU_LINEAR), cubic = _mm256_set1_ps(CK_GELU_CUBIC);
    for (size_t i = 0; i < count; i += 8) {
        __m256i mask = ck_mask8_avx2(count - i);
        __m256 g = _mm256_maskload_ps(gate + i, mask), u = _mm256_maskload_ps(up + i, mask);
        __m256 doubled = _mm256_mul_ps(_mm256_fmadd_ps(_mm256_mul_ps(g, g), cubic, linear), g);
        __m256 e = ck_exp_avx2(_mm256_xor_ps(doubled, sign));
        _mm256_maskstore_ps(out + i, mask, _mm256_mul_ps(_mm256_div_ps(g, _mm256_add_ps(one, e)), u));
    }
}

static void clamped_multiply(const float *gate, const float *up, float limit, float alpha, size_t count, float *out) {
    const __m256 one = _mm256_set1_ps(1.0f), sign = _mm256_set1_ps(-0.0f), factors = _mm256_set1_ps(alpha);
    const __m256 most = _mm256_set1_ps(limit), least = _mm256_set1_ps(-limit);
    for (size_t i = 0; i < count; i += 8) {
        __m256i mask = ck_mask8_avx2(count - i);
        // The second operand is what comes out when one is a NaN.
        __m256 g = _mm256_min_ps(most, _mm256_maskload_ps(gate + i, mask));
        __m256 u = _mm256_max_ps(least, _mm256_min_ps(most, _mm256_maskload_ps(up + i, mask)));
        __m256 e = ck_exp_avx2(_mm256_xor_ps(_mm256_mul_ps(factors, g), sign));
        __m256 gated = _mm256_div_ps(g, _mm256_add_ps(one, e));
        _mm256_maskstore_ps(out + i, mask, _mm256_mul_ps(gated, _mm256_add_ps(u, one)));
    }
}

static void add(const float *a, const float *b, size_t count, float *out) {
    size_t i = 0;
    for (; i + 8 <= count; i += 8) {
        _mm256_storeu_ps(out + i, _mm256_add_ps(_mm256_loadu_ps(a + i), _mm256_loadu_ps(b + i)));
    }
    for (; i < count; i++) out[i] = a[i] + b[i];
}

#pragma clang attribute pop

void ck_init_rows_avx2(ck_kernels *table) {
    table->rms_norm_row = rms_norm_row;
    table->rope_row = rope_row;
    table->silu_multiply = silu_multiply;
    table->gelu_multiply = gelu_multiply;
    table->clamped_multiply = clamped_multiply;
    table->add = add;
}
#endif
