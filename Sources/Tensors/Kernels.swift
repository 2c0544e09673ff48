// Which instruction set the kernels use.

internal import CKernels

public enum Kernels {
    /// Its name, such as `avx2`: the best one this processor has, or a lower one that `RING_ISA` asks for.
    public static var instructionSet: String { String(cString: ck_isa_name(ck_isa_current())) }
}
