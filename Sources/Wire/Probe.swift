// What travels the ring to learn what it is made of.

/// Travels the ring and collects what each shard is.
public struct Probe: Equatable, Sendable {
    public var probeID: UInt64
    public var hops: UInt32
    public var shards: [ShardDescription]

    public init(probeID: UInt64, hops: UInt32 = 0, shards: [ShardDescription] = []) {
        self.probeID = probeID
        self.hops = hops
        self.shards = shards
    }
}

/// What a shard is and how it fares.
public struct ShardDescription: Equatable, Sendable {
    public var name: String = ""
    public var softwareVersion: String = ""
    /// `host:port` it listens on.
    public var address: String = ""
    /// `host:port` it passes frames to.
    public var nextAddress: String = ""
    /// ``WireLimits/fingerprintBytes`` bytes, equal for equal models.
    public var modelFingerprint: [UInt8] = []
    /// Layers of the whole model.
    public var layerCount: UInt32 = 0
    /// Layers it holds, ascending, not overlapping.
    public var layers: [ClosedRange<UInt32>] = []
    /// Most layers whose weights are in memory at once.
    public var windowLayers: UInt32 = 0
    public var weightBytes: UInt64 = 0
    public var cacheBytes: UInt64 = 0
    public var cacheBytesMax: UInt64 = 0
    /// Bytes that a token takes in all the layers it holds.
    public var cacheBytesPerToken: UInt64 = 0
    /// Of these, what a token takes only until its sequence has left it behind: in layers with a sliding window.
    public var cacheBytesPerTokenWindowed: UInt64 = 0
    public var residentBytes: UInt64 = 0
    public var threads: UInt32 = 0
    public var exact: Bool = false
    public var sequences: UInt32 = 0
    public var instructionSet: String = ""
    public var contextTokensMax: UInt32 = 0
    public var pass: PassStatistics = PassStatistics()

    public init() {}
}

/// What the latest step cost on a shard.
public struct PassStatistics: Equatable, Sendable {
    public var bytesRead: UInt64
    public var stallNanoseconds: UInt64
    public var computeNanoseconds: UInt64

    public init(bytesRead: UInt64 = 0, stallNanoseconds: UInt64 = 0, computeNanoseconds: UInt64 = 0) {
        self.bytesRead = bytesRead
        self.stallNanoseconds = stallNanoseconds
        self.computeNanoseconds = computeNanoseconds
    }
}
