// Which tensors a layer needs, and where each will lie in memory.

/// What loading a layer (or the embedding, or the head) takes: its tensors and their places in a ``WeightSlab``.
/// Nothing is read to make one.
///
/// One-dimensional f16 and bf16 tensors (norm weights, biases of layers) and stacked biases of experts are widened to
/// float32 on loading, so that model code takes them as they are and building a layer reads no data. Everything else
/// stays as it is stored.
///
/// What follows each other in a file does so in the slab, at the same place in its block of 4096 bytes, so that whole
/// blocks can come directly from the disk.
public struct LayerPlan: Sendable {
    /// Removed from the names of tensors; errors show the full name.
    public let namePrefix: String
    /// The tensors, sorted by file and place.
    public var entries: [TensorEntry] { placements.map(\.entry) }
    /// Bytes of a slab that holds the layer, padding and room for widening included.
    public let byteCount: Int
    /// Bytes that are read from disk.
    public let storedByteCount: Int

    /// Every tensor starts at a multiple of this.
    static let alignment = ReadRun.alignment
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
        /// Of its stored bytes in the slab; other than `slabOffset` when it is widened.
        let readOffset: Int

        var isWidened: Bool { elementType != entry.elementType }
    }
    let placements: [Placement]

    /// Tensors that follow each other in a file, are moved by the same shift, and so are read in one go.
    struct Run: Sendable {
        var tensors: [TensorEntry]
        /// Of the first byte in the slab, as ``ReadRun/destination`` asks for it.
        let slabOffset: Int
    }
    let runs: [Run]

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
        func aligned(_ offset: Int, to multiple: Int = Self.alignment) -> Int {
            (offset + multiple - 1) / multiple * multiple
        }
        let entries = entries.sorted { ($0.fileIndex, $0.byteOffset, $0.name) < ($1.fileIndex, $1.byteOffset, $1.name) }
        // First all tensors as they are stored, then room for those that are widened.
        let (runs, runsEnd) = Self.runs(of: entries)
        var readOffsets: [String: Int] = [:]
        for run in runs {
            for tensor in run.tensors {
                readOffsets[tensor.name] = run.slabOffset + Int(tensor.byteOffset - run.tensors[0].byteOffset)
            }
        }
        var end = runsEnd
        var placements: [Placement] = []
        for entry in entries {
            let isVector = entry.shape.count == 1 || entry.shape.count == 2 && entry.name.hasSuffix("bias")
            let widened = isVector && (entry.elementType == .f16 || entry.elementType == .bf16)
            let name =
                entry.name.hasPrefix(namePrefix)
                ? String(decoding: entry.name.utf8.dropFirst(namePrefix.utf8.count), as: UTF8.self) : entry.name
            // Nothing is read for a tensor without elements, and it may lie anywhere.
            let readOffset = readOffsets[entry.name] ?? 0
            placements.append(
                Placement(
                    entry: entry, name: name, elementType: widened ? .f32 : entry.elementType,
                    slabOffset: widened ? end : readOffset, readOffset: readOffset))
            if widened { end = aligned(end + entry.byteCount * 2) }
        }
        self.runs = runs
        self.namePrefix = namePrefix
        self.placements = placements
        self.byteCount = aligned(end + Self.overreadBytes)
        self.storedByteCount = entries.reduce(0) { $0 + $1.byteCount }
    }

    /// Places tensors, in the order of the files, in whole blocks.
    /// - Returns: the runs and the end of the last one's blocks.
    private static func runs(of entries: [TensorEntry]) -> (runs: [Run], end: Int) {
        let block = ReadRun.blockBytes
        var runs: [Run] = []
        var end = 0
        for entry in entries where entry.byteCount > 0 {
            if let first = runs.last?.tensors.first, let last = runs.last?.tensors.last,
                last.fileIndex == entry.fileIndex, last.byteOffset + UInt64(last.byteCount) == entry.byteOffset,
                (entry.byteOffset - first.byteOffset) % UInt64(Self.alignment) == 0
            {
                runs[runs.count - 1].tensors.append(entry)
            } else {
                // What lies between is another run's, or nobody's.
                runs.append(
                    Run(
                        tensors: [entry],
                        slabOffset: end + ReadRun.destinationOffset(ofFileOffset: entry.byteOffset)))
            }
            let begin = Int(runs[runs.count - 1].tensors[0].byteOffset) / block * block
            let blocks = (Int(entry.byteOffset) + entry.byteCount - begin + block - 1) / block * block
            let slabOffset = runs[runs.count - 1].slabOffset
            end = slabOffset / block * block + blocks
        }
        return (runs, end)
    }
}
