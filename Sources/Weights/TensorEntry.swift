// Where a tensor lies in a checkpoint.

/// One tensor's name, shape and place, as a file's header states and validates them; none of its data.
public struct TensorEntry: Hashable, Sendable {
    public let name: String
    public let elementType: ElementType
    /// Slowest dimension first; empty for a single value.
    public let shape: [Int]
    /// Index into ``Checkpoint/files``; 0 in the entries of a lone file.
    public internal(set) var fileIndex: Int
    /// Of its first byte, from the start of the file.
    public let byteOffset: UInt64
    /// Bytes in the file: the product of ``shape`` times the element's size, or a block's over its elements.
    public let byteCount: Int
    /// In which order the file has the rows, the slices of the slowest dimension.
    public let rowOrder: RowOrder

    public init(
        name: String, elementType: ElementType, shape: [Int], fileIndex: Int = 0, byteOffset: UInt64, byteCount: Int,
        rowOrder: RowOrder = .natural
    ) {
        self.name = name
        self.elementType = elementType
        self.shape = shape
        self.fileIndex = fileIndex
        self.byteOffset = byteOffset
        self.byteCount = byteCount
        self.rowOrder = rowOrder
    }

    /// Product of ``shape``.
    public var elementCount: Int { byteCount / elementType.byteCount * elementType.blockElements }
}

/// The order of a matrix's rows in its file.
public enum RowOrder: Hashable, Sendable {
    case natural
    /// Heads of rows in which the two that a rotation turns together, `i` and `i + rows / 2` of the head, follow each
    /// other: llama.cpp's order for queries and keys of Llama.
    case rotationPairs(heads: Int)

    /// Where a row of the file belongs, of `rows`.
    func place(ofRow row: Int, of rows: Int) -> Int {
        guard case .rotationPairs(let heads) = self, heads > 0, rows % (2 * heads) == 0 else { return row }
        let headRows = rows / heads
        let (head, inHead) = row.quotientAndRemainder(dividingBy: headRows)
        return head * headRows + inHead % 2 * (headRows / 2) + inHead / 2
    }
}
