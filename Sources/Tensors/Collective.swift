// What ranks that share the layers of a model do together.

/// The ranks that hold slices of the same layers. Model code calls it where a sum over slices is due and knows no
/// sockets.
public protocol Collective {
    /// This rank, 0 ..< ``rankCount``.
    var rank: Int { get }
    var rankCount: Int { get }

    /// Replaces each value of `tensor` by its sum over all ranks, added in an order that does not depend on timing.
    /// - Throws: when a rank cannot be reached.
    func allReduce(_ tensor: Tensor) throws
}

/// One rank that holds all of each layer.
public struct Alone: Collective, Sendable {
    public var rank: Int { 0 }
    public var rankCount: Int { 1 }

    public init() {}

    public func allReduce(_ tensor: Tensor) {}
}

extension Tensor {
    /// Itself after an all-reduce over the ranks of its ``Compute``.
    public func summedOverRanks() throws -> Tensor {
        try compute.collective.allReduce(self)
        return self
    }
}
