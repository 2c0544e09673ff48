// Where a tensor lies in a checkpoint.

/// One tensor's name, shape and place, as a file's header states and validates them; none of its data.
public struct TensorEntry: Hashable, Sendable {
    public let name: String
    public let elementType: ElementType
    /// Slowest dimension first; empty for a single value.
    public let shape: [Int]
    /// Index into ``Checkpoint/files``; 0 in the entries of a lone ``SafetensorsFile``.
    public internal(set) var fileIndex: Int
    /// Of its first byte, from the start of the file.
    public let byteOffset: UInt64
    /// Bytes in the file: the product of ``shape`` times the element's size.
    public let byteCount: Int

    public init(
        name: String, elementType: ElementType, shape: [Int], fileIndex: Int = 0, byteOffset: UInt64, byteCount: Int
    ) {
        self.name = name
        self.elementType = elementType
        self.shape = shape
        self.fileIndex = fileIndex
        self.byteOffset = byteOffset
        self.byteCount = byteCount
    }

    /// Product of ``shape``.
    public var elementCount: Int { byteCount / elementType.byteCount }
}
