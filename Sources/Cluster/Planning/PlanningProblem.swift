// Why a model cannot be divided over the machines there are, in sentences that say what to do.

public enum PlanningProblem: Error, Equatable, Sendable {
    case noShards
    /// - Parameters:
    ///   - missingBytes: that the machine with the most memory would need besides.
    ///   - contextTokens: that were asked for.
    ///   - contextTokensThatFit: with which the model would fit; `nil` when it would not with any.
    case tooLittleMemory(missingBytes: Int, contextTokens: Int, contextTokensThatFit: Int?)

    /// One sentence for people, with what to do.
    public var reason: String {
        switch self {
        case .noShards:
            "no shard takes part; start ring-shard on at least one machine"
        case .tooLittleMemory(let missingBytes, let contextTokens, let fit?):
            """
            the model with a context of \(contextTokens) tokens needs \(Self.size(missingBytes)) more memory than the \
            shards have; give --context \(fit), add a machine, or raise a shard's --memory-limit
            """
        case .tooLittleMemory(let missingBytes, _, nil):
            """
            the model needs \(Self.size(missingBytes)) more memory than the shards have, even with one layer in memory \
            at a time; add a machine, or raise a shard's --memory-limit
            """
        }
    }

    /// Rounded up, so that what is said suffices.
    private static func size(_ bytes: Int) -> String {
        let (unit, name) = bytes >= 1 << 30 ? (1 << 30, "GiB") : (1 << 20, "MiB")
        let tenths = (bytes * 10 + unit - 1) / unit
        return "\(tenths / 10).\(tenths % 10) \(name)"
    }
}

extension PlanningProblem: CustomStringConvertible {
    public var description: String { reason }
}
