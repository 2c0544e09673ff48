// What goes wrong, and what is dropped.

/// Something that concerns a request or the ring went wrong; travels backward to the API.
public struct Failure: Error, Equatable, Sendable {
    public var kind: FailureKind
    /// One sentence for people.
    public var reason: String
    /// Name of the daemon that found it.
    public var shard: String
    public var epoch: UInt64
    public var stepID: UInt64
    public var sequenceID: UInt64
    public var probeID: UInt64

    public init(
        kind: FailureKind, reason: String, shard: String, epoch: UInt64 = 0, stepID: UInt64 = 0, sequenceID: UInt64 = 0,
        probeID: UInt64 = 0
    ) {
        self.kind = kind
        self.reason = reason
        self.shard = shard
        self.epoch = epoch
        self.stepID = stepID
        self.sequenceID = sequenceID
        self.probeID = probeID
    }
}

public enum FailureKind: UInt32, Equatable, Sendable {
    case version = 1
    case malformed = 2
    case checksum = 3
    case staleEpoch = 4
    case gap = 5
    case model = 6
    case unheldLayer = 7
    case brokenRing = 8
    case memory = 9
    case compute = 10
    case loading = 11
}

/// Drops sequences from every shard's cache.
public struct Forget: Equatable, Sendable {
    public var epoch: UInt64
    public var sequenceIDs: [UInt64]
    public var hops: UInt32

    public init(epoch: UInt64, sequenceIDs: [UInt64], hops: UInt32 = 0) {
        self.epoch = epoch
        self.sequenceIDs = sequenceIDs
        self.hops = hops
    }
}
