// Which tensors a layer needs, and where each will lie in memory.

/// What loading a layer (or the embedding, or the head) takes: its tensors and their places in a ``WeightSlab``.
/// Nothing is read to make one.
///
/// One-dimensional f16 and bf16 tensors (norm weights, biases of layers) and stacked biases of experts are widened to
/// float32 on loading, so that model code takes them as they are and building a layer reads no data. Tensors with a
/// ``ConversionLayout`` are converted while they are read. Everything else stays as it is stored.
///
/// What follows each other in a file does so in the slab, at the same place in its block of 4096 bytes, so that whole
/// blocks can come directly from the disk.
public struct LayerPlan: Sendable {
    /// Removed from the names of tensors; errors show the full name.
    public let namePrefix: String
    /// The tensors in files, sorted by file and place.
    public let entries: [TensorEntry]
    /// Bytes of a slab that holds the layer, padding and room for widening included.
    public let byteCount: Int
    /// Bytes that are read from disk.
    public let storedByteCount: Int

    /// Every tensor starts at a multiple of this.
    static let alignment = ReadRun.alignment
    /// Kernels read whole vectors, so as far as this past a tensor's end.
    static let overreadBytes = 64

    /// A tensor in memory.
    struct Placement: Sendable {
        let fullName: String
        /// Name without the plan's prefix.
        let name: String
        let elementType: ElementType
        let shape: [Int]
        let packing: AffinePacking?
        /// Of its first byte in the slab.
        let slabOffset: Int

        var byteCount: Int { shape.reduce(elementType.byteCount, *) }
    }
    let placements: [Placement]

    /// A vector that is widened after reading: both places are in the slab.
    struct Widening: Sendable {
        let entry: TensorEntry
        let readOffset: Int
        let slabOffset: Int
    }
    let widenings: [Widening]

    /// A tensor that is converted while it is read, and where in the slab its parts begin.
    struct Conversion: Sendable {
        let entry: TensorEntry
        let slabOffsets: [Int]
    }
    let conversions: [Conversion]

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
        // First all tensors as they are stored, then room for what others become.
        let (runs, runsEnd) = Self.runs(of: entries.filter { ConversionLayout($0) == nil })
        var readOffsets: [String: Int] = [:]
        for run in runs {
            for tensor in run.tensors {
                readOffsets[tensor.name] = run.slabOffset + Int(tensor.byteOffset - run.tensors[0].byteOffset)
            }
        }
        var end = aligned(runsEnd)
        var placements: [Placement] = []
        var widenings: [Widening] = []
        var conversions: [Conversion] = []
        func place(
            _ name: String, _ type: ElementType, _ shape: [Int], packing: AffinePacking? = nil, at slabOffset: Int
        ) {
            let short =
                name.hasPrefix(namePrefix)
                ? String(decoding: name.utf8.dropFirst(namePrefix.utf8.count), as: UTF8.self) : name
            placements.append(
                Placement(
                    fullName: name, name: short, elementType: type, shape: shape, packing: packing,
                    slabOffset: slabOffset))
        }
        for entry in entries {
            if let layout = ConversionLayout(entry) {
                var offsets: [Int] = []
                for part in layout.parts {
                    let name = ConversionLayout.name(entry.name, part.suffix)
                    place(name, part.elementType, part.shape, packing: part.packing, at: end)
                    offsets.append(end)
                    end = aligned(end + part.byteCount)
                }
                conversions.append(Conversion(entry: entry, slabOffsets: offsets))
            } else if Self.isVector(entry), entry.elementType == .f16 || entry.elementType == .bf16 {
                place(entry.name, .f32, entry.shape, at: end)
                widenings.append(
                    Widening(entry: entry, readOffset: readOffsets[entry.name] ?? 0, slabOffset: end))
                end = aligned(end + entry.byteCount * 2)
            } else {
                // Nothing is read for a tensor without elements, and it may lie anywhere.
                place(entry.name, entry.elementType, entry.shape, at: readOffsets[entry.name] ?? 0)
            }
        }
        self.entries = entries
        self.runs = runs
        self.widenings = widenings
        self.conversions = conversions
        self.namePrefix = namePrefix
        self.placements = placements
        self.byteCount = aligned(end + Self.overreadBytes)
        self.storedByteCount = entries.reduce(0) { $0 + $1.byteCount }
    }

    /// Whether a tensor is a vector, or one for each expert.
    private static func isVector(_ entry: TensorEntry) -> Bool {
        entry.shape.count == 1 || entry.shape.count == 2 && entry.name.hasSuffix("bias")
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
