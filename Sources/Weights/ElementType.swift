// How tensors are stored: element by element, or in packed blocks.

internal import CKernels

/// How the elements of a tensor are stored. The raw value is the spelling of the format it comes from: safetensors, or
/// GGUF for blocks of elements that share scales.
public enum ElementType: String, Hashable, Sendable, CaseIterable {
    case bool = "BOOL"
    case u8 = "U8"
    case i8 = "I8"
    case f8e4m3 = "F8_E4M3"
    case f8e5m2 = "F8_E5M2"
    /// A power of two, the scale of a block of 4- or 8-bit floats.
    case f8e8m0 = "F8_E8M0"
    case u16 = "U16"
    case i16 = "I16"
    case f16 = "F16"
    case bf16 = "BF16"
    case u32 = "U32"
    case i32 = "I32"
    case f32 = "F32"
    case u64 = "U64"
    case i64 = "I64"
    case f64 = "F64"
    case q8x0 = "Q8_0"
    case q4x0 = "Q4_0"
    case q4x1 = "Q4_1"
    case q5x0 = "Q5_0"
    case q5x1 = "Q5_1"
    case q4k = "Q4_K"
    case q5k = "Q5_K"
    case q6k = "Q6_K"

    /// Those that are stored element by element.
    static let plain = allCases.filter { $0.blockFormat == nil }

    /// The kernels' name of a packed type; `nil` for one stored element by element.
    var blockFormat: ck_block_format? {
        switch self {
        case .q8x0: CK_BLOCK_Q8_0
        case .q4x0: CK_BLOCK_Q4_0
        case .q4x1: CK_BLOCK_Q4_1
        case .q5x0: CK_BLOCK_Q5_0
        case .q5x1: CK_BLOCK_Q5_1
        case .q4k: CK_BLOCK_Q4_K
        case .q5k: CK_BLOCK_Q5_K
        case .q6k: CK_BLOCK_Q6_K
        default: nil
        }
    }

    /// Elements of a block; 1 where elements are stored one by one.
    public var blockElements: Int { blockFormat.map { Int(ck_block_layout_of($0).elements) } ?? 1 }

    /// Bytes of one element, or of a block.
    public var byteCount: Int {
        switch self {
        case .bool, .u8, .i8, .f8e4m3, .f8e5m2, .f8e8m0: 1
        case .u16, .i16, .f16, .bf16: 2
        case .u32, .i32, .f32: 4
        case .u64, .i64, .f64: 8
        case .q8x0, .q4x0, .q4x1, .q5x0, .q5x1, .q4k, .q5k, .q6k:
            blockFormat.map { Int(ck_block_layout_of($0).bytes) } ?? 0
        }
    }
}
