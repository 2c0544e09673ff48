// What a mixture of experts needs beside products: scores from logits, and weighted sums.
#include "exponential.h"
#include "kernels.h"

void ck_softmax(float *values, size_t count) {
    float maximum = -INFINITY;
    for (size_t i = 0; i < count; i++) maximum = values[i] > maximum ? values[i] : maximum;
    float sum = 0;
    for (size_t i = 0; i < count; i++) {
        values[i] = ck_exp(values[i] - maximum);
        sum += values[i];
    }
    for (size_t i = 0; i < count; i++) values[i] /= sum;
}

void ck_sigmoid(float *values, size_t count) {
    for (size_t i = 0; i < count; i++) {
        // The exponential of a number that is not positive cannot overflow.
        float e = ck_exp(-fabsf(values[i]));
        values[i] = (values[i] >= 0 ? 1.0f : e) / (1.0f + e);
    }
}

void ck_add_scaled(float factor, const float *x, size_t count, float *y) {
    // Not fused: without a fused instruction in the baseline that would be a call for each element.
    for (size_t i = 0; i < count; i++) y[i] = y[i] + factor * x[i];
}
