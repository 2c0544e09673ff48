// The part of a model that a shard holds: checked first, then loaded.

public import Models
import Tensors
public import Weights

/// Layers, and the embedding and the head where the first and the last layer are among them.
public final class ShardModel: Sendable {
    public let model: any Model
    public let layers: LayerList
    public let fingerprint: ModelFingerprint
    let store: LayerStore<any DecoderLayer>

    /// How the memory is divided; `nil` without a limit.
    let memory: MemoryPlan?

    private let ends: LayerPlan
    private let reader: FileTensorReader
    let holdsFirst: Bool
    let holdsLast: Bool

    /// Opens a model directory and checks that every part asked for can be built; reads headers only.
    /// - Throws: ``ShardSetupError``, ``Weights/CheckpointError`` or ``Models/ConfigError``, each one sentence.
    public convenience init(_ configuration: ShardConfiguration) throws {
        try self.init(configuration, from: ModelDirectorySource(configuration.modelDirectory))
    }

    /// Opens a model and checks that every part asked for can be built. The source fetches what these parts need once
    /// that is known to be so.
    /// - Throws: ``ShardSetupError``, ``Weights/CheckpointError`` or ``Models/ConfigError``, or what the source throws,
    ///   each one sentence.
    public init(_ configuration: ShardConfiguration, from source: any ModelSource) throws {
        let checkpoint = try source.checkpoint { try ShardPart(configuration, of: $0).tensors }
        let part = try ShardPart(configuration, of: checkpoint)
        let (model, layers, plans, ends) = (part.model, part.layers, part.plans, part.ends)
        try checkpoint.checkPresent(part.tensors)
        holdsFirst = part.holdsFirst
        holdsLast = part.holdsLast
        let demands = MemoryDemands(
            model, layers: layers, plans, ends: holdsFirst || holdsLast ? ends : nil, configuration)
        memory = try configuration.memoryBytesMax.map { limit in
            try MemoryPlan(
                limit: limit, demands, windowLayers: configuration.windowLayers,
                cacheBytesMax: configuration.cacheBytesMax)
        }
        let window = min(memory?.windowLayers ?? configuration.windowLayers ?? plans.count, plans.count)
        // The page cache makes the next start fast, where memory has room for the weights twice.
        let storedBytes = plans.values.reduce(ends.storedByteCount) { $0 + $1.storedByteCount }
        let hasRoomTwice = MemoryInformation.availableBytes() / 2 > UInt64(storedBytes)
        reader = FileTensorReader(
            checkpoint,
            caching: window == plans.count && hasRoomTwice && configuration.memoryBytesMax == nil
                ? .filled : .untouched)
        self.model = model
        self.layers = layers
        self.ends = ends
        fingerprint = try checkpoint.fingerprint()
        store = try LayerStore(plans: plans, windowLayers: window, reader: reader) { try model.makeLayer($0, $1) }
    }

    /// Whether weights come directly from the disk or, where the file system cannot, through the page cache.
    var readsDirectly: Bool { reader.readsDirectly }

    /// Bytes of weights in memory when the window is full.
    public var weightBytes: Int { store.windowBytesMax + (holdsFirst || holdsLast ? ends.byteCount : 0) }

    /// Bytes of a token's keys and values in all layers held.
    func cacheBytesPerToken(as type: CacheType) -> Int {
        layers.layers.reduce(0) { $0 + model.shape.caches[$1].bytesPerToken(as: type) }
    }

    /// Of these, those of layers with a sliding window.
    func cacheBytesPerTokenWindowed(as type: CacheType) -> Int {
        layers.layers.reduce(0) { bytes, layer in
            let cache = model.shape.caches[layer]
            return cache.window == nil ? bytes : bytes + cache.bytesPerToken(as: type)
        }
    }

    /// Reads the embedding and the head, and the first window's layers.
    /// - Parameter progress: called after each layer that arrives.
    func load(progress: (LoadProgress) -> Void) throws -> (embedding: TokenEmbedding?, head: OutputHead?) {
        let weights = holdsFirst || holdsLast ? try LayerWeights.load(ends, from: reader) : nil
        try store.start(progress: progress)
        guard let weights else { return (nil, nil) }
        return (holdsFirst ? try model.makeEmbedding(weights) : nil, holdsLast ? try model.makeHead(weights) : nil)
    }
}

/// Which part of a model a shard is to hold, checked against the model's configuration and headers.
private struct ShardPart {
    let model: any Model
    let layers: LayerList
    let holdsFirst: Bool
    let holdsLast: Bool
    /// What each layer needs.
    let plans: [Int: LayerPlan]
    /// What the embedding and the head need, where they are held.
    let ends: LayerPlan

    /// Everything that will be read.
    var tensors: [TensorEntry] { plans.values.flatMap(\.entries) + ends.entries }

    init(_ configuration: ShardConfiguration, of checkpoint: Checkpoint) throws {
        let model = try ModelRegistry.model(for: ModelConfig(json: checkpoint.configurationJSON))
        let layerCount = model.shape.layerCount
        let layers = configuration.layers ?? LayerList(all: layerCount)
        guard let last = layers.layers.last else {
            throw ShardSetupError("the layer list is empty; name at least one layer or leave -l out for all")
        }
        guard last < layerCount else {
            throw ShardSetupError(
                "layer \(last) does not exist: the model has \(layerCount) layers, 0 to \(layerCount - 1)")
        }
        if let window = configuration.windowLayers, window < 1 {
            throw ShardSetupError("--prefetch-window is \(window), but at least one layer must be in memory")
        }
        holdsFirst = layers.layers.first == 0
        holdsLast = last == layerCount - 1
        try model.check(checkpoint, layers: layers.layers, embedding: holdsFirst, head: holdsLast)

        var plans: [Int: LayerPlan] = [:]
        for layer in layers.layers { plans[layer] = model.layerPlan(layer, of: checkpoint) }
        ends = model.endsPlan(embedding: holdsFirst, head: holdsLast, of: checkpoint)
        self.plans = plans
        self.model = model
        self.layers = layers
    }
}
