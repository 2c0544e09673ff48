// What some layers on one machine cost: memory, and seconds for a step.

/// What a plan is made for.
public enum PlanningObjective: Equatable, Sendable {
    /// The least time per token of one request.
    case latency
    /// The most tokens a second of many requests, with so many rows in each step.
    case throughput(rowsPerStep: Int)

    var rowsPerStep: Int {
        switch self {
        case .latency: 1
        case .throughput(let rows): max(1, rows)
        }
    }
}

/// What bounds a stage.
public enum StageBound: String, Equatable, Sendable {
    case memoryBandwidth = "memory bandwidth"
    case compute = "compute"
    case disk = "disk"
}

/// A machine's part of a plan, without the links.
///
/// A stage holds a window of its layers as ``Weights/LayerWindow`` does: all of them, or W − 2 that stay and two slots
/// that the others stream through. What streams is read while the machine computes, and up to two layers a visit while
/// other machines do.
struct StageCost: Equatable, Sendable {
    /// Layers in memory at a time.
    var windowLayers: Int
    /// Bytes in memory: weights of the window and of the ends, keys and values, the program.
    var memoryBytes: Int
    /// Bytes read from disk for each step.
    var readBytes: Int
    /// Time for a step, reading that computing does not hide included.
    var seconds: Double
    /// Of those, computing.
    var computeSeconds: Double
    /// Time that reading takes at the least in each step, hidden or not.
    var readSeconds: Double
    var bound: StageBound
}

/// Sums that make the cost of a stage quick to say.
struct StageCostModel: Sendable {
    let model: ModelDemand
    let objective: PlanningObjective
    /// Of all layers.
    private let whole: Load

    init(_ model: ModelDemand, _ objective: PlanningObjective) {
        self.model = model
        self.objective = objective
        whole = model.layers.reduce(into: Load()) { $0.add($1, contextTokens: model.contextTokens) }
    }

    /// What a stage applies, added up.
    struct Load: Sendable {
        var layers = 0
        var weightBytes = 0
        /// Of the heaviest layer, which every slot of a window must be able to hold.
        var weightBytesMax = 0
        var activeBytes = 0.0
        var operations = 0.0
        var cacheBytes = 0

        mutating func add(_ layer: LayerDemand, contextTokens: Int) {
            layers += 1
            weightBytes += layer.weightBytes
            weightBytesMax = max(weightBytesMax, layer.weightBytes)
            activeBytes += Double(layer.activeBytes)
            operations += layer.operations
            cacheBytes += layer.cacheBytesPerToken * contextTokens
        }
    }

    /// The load of these layers.
    func load(_ layers: some Sequence<Int>) -> Load {
        layers.reduce(into: Load()) { $0.add(model.layers[$1], contextTokens: model.contextTokens) }
    }

    /// The load of `count` layers like the mean of the model's.
    func meanLoad(_ count: Int) -> Load {
        let all = whole
        let share = Double(count) / Double(all.layers)
        // Rounded up: a plan must not promise memory that the true layers then lack.
        func part(_ total: Int, _ count: Int) -> Int { (total * count + all.layers - 1) / all.layers }
        return Load(
            layers: count, weightBytes: part(all.weightBytes, count), weightBytesMax: part(all.weightBytes, 1),
            activeBytes: all.activeBytes * share, operations: all.operations * share,
            cacheBytes: part(all.cacheBytes, count))
    }

    /// What it costs `shard` to apply `load` in `rounds` visits, or `nil` when its memory does not suffice.
    func cost(_ shard: ShardProfile, _ load: Load, ends: Ends, rounds: Int) -> StageCost? {
        guard load.layers >= rounds else { return nil }
        let fixedBytes = model.overheadBytes + model.endsBytes(ends) + load.cacheBytes
        let room = shard.memoryBytes - fixedBytes
        guard room > 0 else { return nil }
        let window: Int
        if load.weightBytes <= room {
            window = load.layers
        } else {
            window = min(load.layers - 1, load.weightBytesMax > 0 ? room / load.weightBytesMax : 0)
            guard window >= 1, shard.diskBytesPerSecond > 0 else { return nil }
        }

        let (computeSeconds, bound) = compute(shard, load, ends: ends, rounds: rounds)
        guard window < load.layers else {
            return StageCost(
                windowLayers: window, memoryBytes: fixedBytes + load.weightBytes, readBytes: 0,
                seconds: computeSeconds, computeSeconds: computeSeconds, readSeconds: 0, bound: bound)
        }
        let slots = min(2, window)
        let streamed = load.layers - (window - slots)
        let readSecondsPerLayer = Double(load.weightBytes) / Double(load.layers) / shard.diskBytesPerSecond
        let readSeconds = Double(streamed) * readSecondsPerLayer
        // Between visits the slots are filled again, unless steps follow each other without a pause.
        let hidden = objective == .latency ? min(streamed, slots * rounds) : 0
        let exposedSeconds = Double(streamed - hidden) * readSecondsPerLayer
        // With one slot nothing can arrive while it is computed with.
        let seconds = slots > 1 ? max(computeSeconds, exposedSeconds) : computeSeconds + exposedSeconds
        return StageCost(
            windowLayers: window, memoryBytes: fixedBytes + window * load.weightBytesMax,
            readBytes: Int(Double(streamed) * Double(load.weightBytes) / Double(load.layers)), seconds: seconds,
            computeSeconds: computeSeconds, readSeconds: readSeconds,
            bound: seconds > computeSeconds ? .disk : bound)
    }

    private func compute(
        _ shard: ShardProfile, _ load: Load, ends: Ends, rounds: Int
    ) -> (seconds: Double, bound: StageBound) {
        let rows = Double(objective.rowsPerStep)
        let hasHead = ends.contains(.last)
        // With many rows a step goes through more experts than one row does, to all of them in the end.
        let active = min(Double(load.weightBytes), load.activeBytes * rows)
        let bytes = max(load.activeBytes, active) + (hasHead ? Double(model.headBytes) : 0)
        let operations = rows * (load.operations + (hasHead ? model.headOperations : 0))
        let byteSeconds = bytes / shard.weightBytesPerSecond
        let operationSeconds = operations / shard.operationsPerSecond
        return (
            max(byteSeconds, operationSeconds) + Double(rounds) * shard.visitSeconds,
            byteSeconds >= operationSeconds ? .memoryBandwidth : .compute
        )
    }

    /// Most layers like the mean that `shard` can hold at all.
    func layersMax(_ shard: ShardProfile, ends: Ends) -> Int {
        let count = model.layers.count
        // More layers need more memory for keys and values, and never less for weights.
        return (1...count).last { cost(shard, meanLoad($0), ends: ends, rounds: 1) != nil } ?? 0
    }
}
