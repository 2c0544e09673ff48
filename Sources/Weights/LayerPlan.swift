// Which tensors a layer needs, and where each will lie in memory.

/// What loading a layer (or the embedding, or the head) takes: its tensors and their places in a ``WeightSlab``.
/// Nothing is read to make one.
///
/// One-dimensional f16 and bf16 tensors (norm weights, biases of layers) are widened to float32 on loading, so that
/// model code takes them as they are and building a layer reads no data. Everything else stays as it is stored.
public struct LayerPlan: Sendable {
    /// Removed from the names of tensors; errors show the full name.
    public let namePrefix: String
    /// The tensors, sorted by file and place.
    public var entries: [TensorEntry] { placements.map(\.entry) }
    /// Bytes of a slab that holds the layer, padding and room for widening included.
    public let byteCount: Int
    /// Bytes that are read from disk.
    public let storedByteCount: Int

    /// Every tensor starts at a multiple of this: a cache line, and the widest vector register.
    static let alignment = 64
    /// Kernels read whole vectors, so as far as this past a tensor's end.
    static let overreadBytes = 64

    struct Placement: Sendable {
        let entry: TensorEntry
        /// Name without the plan's prefix.
        let name: String
        /// As it lies in memory.
        let elementType: ElementType
        /// Of its first byte in the slab.
        let slabOffset: Int
        /// Where its stored bytes are read to; other than `slabOffset` when it is widened.
        let readOffset: Int

        var isWidened: Bool { elementType != entry.elementType }
    }
    let placements: [Placement]

    /// The tensors of one layer.
    /// - Parameter prefix: what their names begin with, final dot included: `model.layers.3.`
    public init(_ checkpoint: Checkpoint, prefix: String) {
        self.init(checkpoint, prefixes: [prefix], namePrefix: prefix)
    }

    /// The tensors whose names begin with any of `prefixes`.
    /// - Parameter namePrefix: what all these names begin with and ``LayerWeights`` leaves out.
    public init(_ checkpoint: Checkpoint, prefixes: [String], namePrefix: String = "") {
        var entries: Set<TensorEntry> = []
        for prefix in prefixes { entries.formUnion(checkpoint.entries(prefix: prefix)) }
        self.init(entries: Array(entries), namePrefix: namePrefix)
    }

    init(entries: [TensorEntry], namePrefix: String) {
        func aligned(_ offset: Int) -> Int { (offset + Self.alignment - 1) / Self.alignment * Self.alignment }
        let entries = entries.sorted { ($0.fileIndex, $0.byteOffset, $0.name) < ($1.fileIndex, $1.byteOffset, $1.name) }
        func isWidened(_ entry: TensorEntry) -> Bool {
            entry.shape.count == 1 && (entry.elementType == .f16 || entry.elementType == .bf16)
        }
        // First all tensors in the order they are read, then room for the stored bytes of those that are widened.
        var end = 0
        let slabOffsets = entries.map { entry in
            let offset = aligned(end)
            end = offset + (isWidened(entry) ? entry.byteCount * 2 : entry.byteCount)
            return offset
        }
        end = aligned(end + Self.overreadBytes)
        var placements: [Placement] = []
        for (entry, slabOffset) in zip(entries, slabOffsets) {
            let widened = isWidened(entry)
            let name =
                entry.name.hasPrefix(namePrefix)
                ? String(decoding: entry.name.utf8.dropFirst(namePrefix.utf8.count), as: UTF8.self) : entry.name
            placements.append(
                Placement(
                    entry: entry, name: name, elementType: widened ? .f32 : entry.elementType, slabOffset: slabOffset,
                    readOffset: widened ? end : slabOffset))
            if widened { end = aligned(end + entry.byteCount) }
        }
        self.namePrefix = namePrefix
        self.placements = placements
        self.byteCount = end
        self.storedByteCount = entries.reduce(0) { $0 + $1.byteCount }
    }
}
