// The least that dividing the layers over some of the machines can cost, for every choice of them.

/// For every set of shards and every number of layers, the least cost of dividing exactly so many layers over exactly
/// these shards, when all layers are alike. Time 2ⁿ L², memory 2ⁿ L numbers.
struct LayerShares: Sendable {
    private let layerCount: Int
    private let combine: CostCombination
    /// `[set, layers]`.
    private let costs: [Double]

    /// - Parameter stages: `[shard][layers]`, the cost of so many layers there; infinite where it cannot hold them,
    ///   and for none.
    init(stages: [[Double]], layerCount: Int, _ combine: CostCombination) {
        let width = layerCount + 1
        var costs = [Double](repeating: .infinity, count: width << stages.count)
        costs[0] = 0
        costs.withUnsafeMutableBufferPointer { costs in
            for set in 1..<(1 << stages.count) {
                let with = UnsafeMutableBufferPointer(rebasing: costs[(set * width)..<((set + 1) * width)])
                let rest = (set & (set - 1)) * width
                let without = UnsafeBufferPointer(rebasing: UnsafeBufferPointer(costs)[rest..<(rest + width)])
                stages[set.trailingZeroBitCount].withUnsafeBufferPointer { stage in
                    for own in 1...layerCount where stage[own] < .infinity {
                        Self.add(stage[own], layers: own, to: without, into: with, combine)
                    }
                }
            }
        }
        self.layerCount = layerCount
        self.combine = combine
        self.costs = costs
    }

    /// One shard more, which takes `own` layers at `cost`.
    @inline(__always)
    private static func add(
        _ cost: Double, layers own: Int, to without: UnsafeBufferPointer<Double>,
        into with: UnsafeMutableBufferPointer<Double>, _ combine: CostCombination
    ) {
        switch combine {
        case .sum:
            for others in 0..<(without.count - own) {
                with[others + own] = min(with[others + own], without[others] + cost)
            }
        case .slowest:
            for others in 0..<(without.count - own) {
                with[others + own] = min(with[others + own], max(without[others], cost))
            }
        }
    }

    /// The least cost of all layers on the shards of `others` and one more with costs of its own; infinite when they
    /// cannot hold them.
    ///
    /// - Parameter stage: `[layers]`, of the shard that is not in `others`.
    func cost(_ others: Int, with stage: [Double]) -> Double {
        costs.withUnsafeBufferPointer { costs in
            stage.withUnsafeBufferPointer { stage in
                let whole = others * (layerCount + 1) + layerCount
                var best = Double.infinity
                for own in 1...layerCount { best = min(best, combine(costs[whole - own], stage[own])) }
                return best
            }
        }
    }
}
