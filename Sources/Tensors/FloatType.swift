// The floating-point types of weights, caches and activations on the wire.

internal import CKernels

/// A floating-point type as it lies in memory, little-endian.
public enum FloatType: Sendable, Equatable, CaseIterable {
    case f32
    case f16
    case bf16

    /// Size of an element.
    public var bytes: Int { self == .f32 ? 4 : 2 }

    var kernelType: ck_float_type {
        switch self {
        case .f32: CK_F32
        case .f16: CK_F16
        case .bf16: CK_BF16
        }
    }

    var format: ck_format {
        switch self {
        case .f32: CK_FORMAT_F32
        case .f16: CK_FORMAT_F16
        case .bf16: CK_FORMAT_BF16
        }
    }
}
