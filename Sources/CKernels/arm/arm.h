// The arm64 entries of the table, by file.
#ifndef CK_ARM_H
#define CK_ARM_H

#include "../kernels.h"

void ck_init_affine_neon(ck_kernels *table);
void ck_init_attention_neon(ck_kernels *table);
void ck_init_convert_neon(ck_kernels *table);
void ck_init_dot_neon(ck_kernels *table);
void ck_init_quantize_neon(ck_kernels *table);

#endif
