// A tensor's data in memory.

/// A view of a tensor that lies in a ``WeightSlab``, valid as long as the slab and its current contents are.
///
/// Unchecked: the memory behind it is written once, before any view of it is handed out.
public struct StoredTensor: @unchecked Sendable {
    /// Full name in the checkpoint.
    public let name: String
    /// As it lies in memory: one-dimensional f16 and bf16 tensors, and stacked biases, have become f32.
    public let elementType: ElementType
    /// Slowest dimension first.
    public let shape: [Int]
    /// 64-byte aligned, and readable for 64 bytes past the tensor's end. Not to be read when the weights are dry.
    public let baseAddress: UnsafeRawPointer
    /// How the words of an affine-quantized matrix are packed, where the file's format says it; `nil` where it is left
    /// to config.json.
    public let packing: AffinePacking?

    public init(
        name: String, elementType: ElementType, shape: [Int], baseAddress: UnsafeRawPointer,
        packing: AffinePacking? = nil
    ) {
        self.name = name
        self.elementType = elementType
        self.shape = shape
        self.baseAddress = baseAddress
        self.packing = packing
    }
}

/// The packing of an affine-quantized matrix.
public struct AffinePacking: Hashable, Sendable {
    /// Width of an element.
    public let bits: Int
    /// Elements that share a scale and a bias.
    public let group: Int

    public init(bits: Int, group: Int) {
        self.bits = bits
        self.group = group
    }
}
