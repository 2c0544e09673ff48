// How a shard is set up.

public import Tensors

/// What the flags of `ring-shard` say.
public struct ShardConfiguration: Sendable {
    /// Unique in the ring; for people and logs.
    public var name: String
    /// Announced over mDNS; APIs use shards of one cluster together.
    public var cluster: String
    /// What `-m` was given: a model directory, unless ``ShardModel`` is made from another source.
    public var modelDirectory: String
    /// Layers to hold; `nil` for every one.
    public var layers: LayerList?
    /// Most layers in memory at a time; `nil` for all, or for what ``memoryBytesMax`` allows.
    public var windowLayers: Int?
    public var threads: Int
    /// Float32 throughout, for verification.
    public var exact: Bool
    /// How keys and values are kept.
    public var cacheType: CacheType
    /// OpenBLAS for many-row products: faster prompts for float weights, but not the same bits in every cut.
    public var usesOpenBLAS: Bool
    /// Most bytes of keys and values; `nil` for what ``memoryBytesMax`` leaves, or half of the memory that is
    /// available when the weights are loaded.
    public var cacheBytesMax: Int?
    /// Most bytes of the whole process, which then decides how many layers are in memory; `nil` for no limit.
    public var memoryBytesMax: Int?

    /// Most sequences at a time: what the cache's bookkeeping is sized for.
    public static let sequencesMax = 4096

    /// The cluster of shards and APIs that are not told another.
    public static let clusterStandard = "default"

    public init(
        name: String, cluster: String = ShardConfiguration.clusterStandard, modelDirectory: String,
        layers: LayerList? = nil, windowLayers: Int? = nil, threads: Int,
        exact: Bool = false, cacheType: CacheType? = nil, usesOpenBLAS: Bool = false, cacheBytesMax: Int? = nil,
        memoryBytesMax: Int? = nil
    ) {
        self.name = name
        self.cluster = cluster
        self.modelDirectory = modelDirectory
        self.layers = layers
        self.windowLayers = windowLayers
        self.threads = threads
        self.exact = exact
        self.cacheType = cacheType ?? (exact ? .f32 : .f16)
        self.usesOpenBLAS = usesOpenBLAS
        self.cacheBytesMax = cacheBytesMax
        self.memoryBytesMax = memoryBytesMax
    }
}

/// Flags that cannot be met, in one sentence.
public struct ShardSetupError: Error, Equatable, CustomStringConvertible {
    public var description: String

    public init(_ description: String) {
        self.description = description
    }
}
