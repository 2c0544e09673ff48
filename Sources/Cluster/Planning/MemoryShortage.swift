// How much memory is lacking when a model cannot be divided.

/// Says by how much machines are too small for a model, when they are.
struct MemoryShortage {
    private let costs: StageCostModel
    private let cluster: ClusterProfile

    init(_ costs: StageCostModel, _ cluster: ClusterProfile) {
        self.costs = costs
        self.cluster = cluster
    }

    var problem: PlanningProblem {
        .tooLittleMemory(
            missingBytes: missingBytes, contextTokens: costs.model.contextTokens,
            contextTokensThatFit: contextTokensThatFit)
    }

    /// Least memory that the machine with the most of it would need besides.
    private var missingBytes: Int {
        guard
            let largest = cluster.shards.indices.max(by: {
                cluster.shards[$0].memoryBytes < cluster.shards[$1].memoryBytes
            })
        else { return 0 }
        // One machine that holds everything needs no other.
        let model = costs.model
        let all = costs.load(model.layers.indices)
        let enough = model.overheadBytes + model.endsBytes([.first, .last]) + all.cacheBytes + all.weightBytes
        return Self.least(upTo: enough) { bytes in
            var cluster = cluster
            cluster.shards[largest].memoryBytes += bytes
            return Self.fits(costs, cluster)
        } ?? enough
    }

    /// Most tokens with which the model would fit.
    private var contextTokensThatFit: Int? {
        let context = costs.model.contextTokens
        let lessToken = Self.least(upTo: context - 1) { less in
            var model = costs.model
            model.contextTokens = context - less
            return Self.fits(StageCostModel(model, costs.objective), cluster)
        }
        return lessToken.map { context - $0 }
    }

    /// The least number up to `limit` of which `suffices` holds, when it holds of all larger ones too.
    private static func least(upTo limit: Int, _ suffices: (Int) -> Bool) -> Int? {
        guard limit >= 0, suffices(limit) else { return nil }
        var (low, high) = (0, limit)
        while low < high {
            let middle = low + (high - low) / 2
            if suffices(middle) { high = middle } else { low = middle + 1 }
        }
        return low
    }

    /// Whether all machines together can hold the model, however slowly.
    private static func fits(_ costs: StageCostModel, _ cluster: ClusterProfile) -> Bool {
        let layerCount = costs.model.layers.count
        func most(_ ends: Ends) -> [Int] { cluster.shards.map { costs.layersMax($0, ends: ends) } }
        if most([.first, .last]).contains(layerCount) { return true }
        let (plain, first, last) = (most([]), most(.first), most(.last))
        let all = plain.reduce(0, +)
        return plain.indices.contains { one in
            first[one] > 0
                && plain.indices.contains { other in
                    other != one && last[other] > 0
                        && all - plain[one] - plain[other] + first[one] + last[other] >= layerCount
                }
        }
    }
}
