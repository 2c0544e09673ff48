// What a shard's memory is divided into so that it stays within a limit: pure arithmetic.

/// How a limit is used: as many layers in memory as fit beside the cache that the shard needs, and what is left for the
/// cache.
struct MemoryPlan: Equatable, Sendable {
    let windowLayers: Int
    let cacheBytesMax: Int
    let workingBytesMax: Int

    /// - Parameters:
    ///   - limit: of the whole process.
    ///   - windowLayers: given by the user, or `nil` for as many as fit.
    ///   - cacheBytesMax: given by the user, or `nil` for what is left.
    /// - Throws: ``ShardSetupError`` with the least limit that would do.
    init(
        limit: Int, _ demands: MemoryDemands, windowLayers: Int? = nil, cacheBytesMax: Int? = nil
    ) throws(ShardSetupError) {
        let rest = limit - demands.fixedBytes
        let cacheBytesMin = cacheBytesMax ?? demands.cacheBytesPerToken * MemoryDemands.cacheTokensMin
        let smallest = min(max(windowLayers ?? 1, 1), demands.windowBytes.count)
        let leastBytes = demands.fixedBytes + demands.windowBytes[smallest - 1] + cacheBytesMin
        guard limit >= leastBytes else {
            throw ShardSetupError(
                Self.refusal(limit, demands, window: smallest, isGiven: windowLayers != nil, cacheBytesMin, leastBytes))
        }
        let wanted = cacheBytesMax ?? max(cacheBytesMin, min(demands.cacheBytesWanted, rest / 4))
        let window =
            windowLayers.map { min($0, demands.windowBytes.count) }
            ?? max(smallest, demands.windowBytes.lastIndex { $0 + wanted <= rest }.map { $0 + 1 } ?? smallest)
        self.windowLayers = window
        self.cacheBytesMax = cacheBytesMax ?? rest - demands.windowBytes[window - 1]
        workingBytesMax = demands.workingBytes
    }

    private static func refusal(
        _ limit: Int, _ demands: MemoryDemands, window: Int, isGiven: Bool, _ cacheBytes: Int, _ leastBytes: Int
    ) -> String {
        let layers = window == 1 ? "one layer" : "\(window) layers"
        let remedy = isGiven && window > 1 ? ", a smaller --prefetch-window" : ""
        return """
            --memory-limit \(mebibytes(limit)) is too little for layers \(demands.layers): it takes \
            \(mebibytes(leastBytes)) to hold \(layers) at a time (\(mebibytes(demands.windowBytes[window - 1]))), the \
            embedding and the head (\(mebibytes(demands.endsBytes))), the cache (\(mebibytes(cacheBytes))), and the \
            program with a step (\(mebibytes(demands.fixedBytes - demands.endsBytes))); give \
            --memory-limit \(mebibytes(leastBytes))\(remedy) or fewer layers
            """
    }

    /// Rounded up, as the flags read it.
    static func mebibytes(_ bytes: Int) -> String { "\((bytes + (1 << 20) - 1) >> 20)MiB" }
}
