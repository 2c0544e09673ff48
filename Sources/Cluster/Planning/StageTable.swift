// What every run of layers costs on each machine of a ring.

/// Seconds of stages, looked up often.
struct StageTable: Sendable {
    let machines: Int
    let layerCount: Int
    /// `[machine, first layer, layers − 1]`, or with a single first layer where only the number of layers counts.
    private var stages: [(seconds: Double, reading: Double)]
    private let firstLayers: Int

    /// - Parameters:
    ///   - ring: the machines in order.
    ///   - byNumber: whether all layers are taken to be like the mean.
    init(_ costs: StageCostModel, _ ring: [ShardProfile], rounds: Int, byNumber: Bool) {
        layerCount = costs.model.layers.count
        machines = ring.count
        firstLayers = byNumber ? 1 : layerCount
        stages = Array(repeating: (.infinity, 0), count: ring.count * firstLayers * layerCount)
        for (machine, shard) in ring.enumerated() {
            let ends = Ends(machine, of: ring.count)
            for first in 0..<firstLayers {
                var load = StageCostModel.Load()
                for end in (first + 1)...layerCount {
                    load.add(costs.model.layers[end - 1], contextTokens: costs.model.contextTokens)
                    let run = byNumber ? costs.meanLoad(end) : load
                    guard let cost = costs.cost(shard, run, ends: ends, rounds: rounds) else { continue }
                    stages[index(machine, first, end)] = (cost.seconds, cost.readSeconds)
                }
            }
        }
    }

    private func index(_ machine: Int, _ first: Int, _ end: Int) -> Int {
        (machine * firstLayers + (firstLayers == 1 ? 0 : first)) * layerCount + end - first - 1
    }

    /// Of the layers from `first` to before `end`; infinite when the machine cannot hold them.
    @inline(__always)
    func seconds(_ machine: Int, _ first: Int, _ end: Int) -> (seconds: Double, reading: Double) {
        stages[index(machine, first, end)]
    }

    /// The times that any stage reads for, ascending.
    var readSeconds: [Double] { Set(stages.lazy.map(\.reading)).sorted() }
}
