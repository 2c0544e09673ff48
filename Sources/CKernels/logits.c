// Largest value, its index and log Σ exp of a row of logits, in portable C.
#include "exponential.h"
#include "kernels.h"

// Σ exp in CK_LANES lanes of double: a vocabulary of 150,000 would cost a float sum its last digits.
static double sum_exponentials(const float *logits, size_t count, float maximum) {
    double lanes[CK_LANES] = {0};
    for (size_t i = 0; i < count; i++) lanes[i % CK_LANES] += (double)ck_exp(logits[i] - maximum);
    for (int width = CK_LANES / 2; width > 0; width /= 2) {
        for (int i = 0; i < width; i++) lanes[i] += lanes[i + width];
    }
    return lanes[0];
}

double ck_log(double x) {
    // x = m · 2ᵉ with m in √½ … √2; ln m = 2 artanh((m − 1) / (m + 1)), whose series ends below 2⁻⁵⁴ after eleven
    // terms.
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    int64_t exponent = (int64_t)(bits >> 52) - 1023;
    bits = (bits & 0xfffffffffffffull) | (uint64_t)1023 << 52;
    double m;
    memcpy(&m, &bits, sizeof m);
    if (m > 0x1.6a09e667f3bcdp+0) {
        m *= 0.5;
        exponent++;
    }
    double f = (m - 1) / (m + 1), square = f * f, series = 0;
    for (int n = 21; n >= 3; n -= 2) series = fma(series, square, 1.0 / n);
    double two_f = f + f;
    return fma((double)exponent, 0x1.62e42fefa39efp-1, fma(two_f * square, series, two_f));
}

static ck_logits_summary summarize_logits(const float *logits, size_t count) {
    float maximum = -INFINITY;
    for (size_t i = 0; i < count; i++) maximum = logits[i] > maximum ? logits[i] : maximum;
    return ck_finish_summary(logits, count, maximum, sum_exponentials(logits, count, maximum));
}

void ck_init_logits_portable(ck_kernels *table) { table->summarize_logits = summarize_logits; }
