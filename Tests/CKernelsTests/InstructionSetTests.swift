// Choosing an instruction set.

import CKernels
import Testing

extension KernelTests {
    @Suite struct InstructionSet {
        @Test func portableCIsAlwaysThere() {
            #expect(ck_isa_available(CK_ISA_PORTABLE))
            using(CK_ISA_PORTABLE) { #expect(ck_isa_current() == CK_ISA_PORTABLE) }
        }

        @Test func whatIsNotThereCannotBeUsed() {
            let before = ck_isa_current()
            let others = [CK_ISA_AVX2, CK_ISA_AVX512, CK_ISA_AVX512BF16, CK_ISA_NEON, ck_isa(rawValue: 77)]
            for isa in others where !ck_isa_available(isa) {
                #expect(!ck_isa_use(isa))
                #expect(ck_isa_current() == before)
            }
        }

        @Test func namesAreThoseOfTheVariable() {
            let all = [CK_ISA_PORTABLE, CK_ISA_AVX2, CK_ISA_AVX512, CK_ISA_AVX512BF16, CK_ISA_NEON]
            let names = all.map { String(cString: ck_isa_name($0)) }
            #expect(names == ["portable", "avx2", "avx512", "avx512bf16", "neon"])
            #expect(ck_isa_problem() == nil)
        }
    }
}
