// Matrices of small floats as float32, in portable C.
#include "coded.h"

static void widen_coded(const ck_matrix *matrix, size_t output, size_t first_input, size_t count, float *out) {
    ck_widen_coded_row(matrix, output, first_input, count, out);
}

void ck_init_coded_portable(ck_kernels *table) { table->widen_coded = widen_coded; }
