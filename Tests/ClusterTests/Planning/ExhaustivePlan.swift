// The cheapest plan found by trying every one, from the definition of what a plan costs.

@testable import Cluster

/// Tries every choice of shards, order, division and number of rounds. For clusters of four shards at most.
struct ExhaustivePlan {
    let model: ModelDemand
    let cluster: ClusterProfile
    let objective: PlanningObjective

    /// The least seconds per token of a plan for one request, or per step of the slowest part for many; `nil` when
    /// nothing fits. All layers must be alike.
    func leastSeconds(roundsMax: Int) -> Double? {
        var least: Double?
        for order in orders(of: Array(cluster.shards.indices)) {
            for counts in divisions(model.layers.count, over: order.count) {
                for rounds in 1...roundsMax {
                    guard let seconds = seconds(order, counts, rounds) else { continue }
                    least = min(least ?? seconds, seconds)
                }
            }
        }
        return least
    }

    private func orders(of shards: [Int]) -> [[Int]] {
        shards.flatMap { first -> [[Int]] in
            [[first]] + orders(of: shards.filter { $0 != first }).map { [first] + $0 }
        }
    }

    private func divisions(_ layers: Int, over count: Int) -> [[Int]] {
        if count == 1 { return layers > 0 ? [[layers]] : [] }
        guard layers > 1 else { return [] }
        return (1..<layers).flatMap { own in divisions(layers - own, over: count - 1).map { [own] + $0 } }
    }

    func seconds(_ order: [Int], _ counts: [Int], _ rounds: Int) -> Double? {
        let rows = objective.rowsPerStep
        var sum = 0.0
        var slowest = 0.0
        var reading = 0.0
        for (index, shard) in order.enumerated() {
            let ends = (isFirst: index == 0, isLast: index == order.count - 1)
            guard let stage = stage(cluster.shards[shard], counts[index], ends, rounds) else { return nil }
            sum += stage.seconds
            slowest = max(slowest, stage.seconds)
            reading = max(reading, stage.reading)
        }
        var links = [cluster.linksFromAPI[order[0]], cluster.linksToAPI[order[order.count - 1]]]
        for (one, next) in zip(order, order.dropFirst()) { links.append(cluster.links[one][next]) }
        for link in links {
            let transmission = Double(model.rowBytes * rows) / link.bytesPerSecond
            sum += Double(rounds) * (link.roundTripSeconds / 2 + transmission)
            slowest = max(slowest, Double(rounds) * transmission)
        }
        return max(reading, objective == .latency ? sum : slowest)
    }

    private func stage(
        _ shard: ShardProfile, _ count: Int, _ ends: (isFirst: Bool, isLast: Bool), _ rounds: Int
    ) -> (seconds: Double, reading: Double)? {
        guard count >= rounds else { return nil }
        let layer = model.layers[0]
        let rows = Double(objective.rowsPerStep)
        var fixed = model.overheadBytes + count * layer.cacheBytesPerToken * model.contextTokens
        if ends.isFirst { fixed += model.embeddingBytes }
        if ends.isLast, !(ends.isFirst && model.isHeadTied) { fixed += model.headBytes }
        guard shard.memoryBytes > fixed else { return nil }
        let slots = min(count, (shard.memoryBytes - fixed) / layer.weightBytes)
        guard slots >= 1 else { return nil }

        var bytes = Double(count) * min(Double(layer.weightBytes), Double(layer.activeBytes) * rows)
        var operations = Double(count) * layer.operations * rows
        if ends.isLast {
            bytes += Double(model.headBytes)
            operations += model.headOperations * rows
        }
        let computing =
            max(bytes / shard.weightBytesPerSecond, operations / shard.operationsPerSecond)
            + Double(rounds) * shard.visitSeconds
        if slots == count { return (computing, 0) }
        guard shard.diskBytesPerSecond > 0 else { return nil }
        let layerReading = Double(layer.weightBytes) / shard.diskBytesPerSecond
        let streamed = slots == 1 ? count : count - slots + 2
        let meanwhile = objective == .latency ? min(streamed, min(2, slots) * rounds) : 0
        let waiting = Double(streamed - meanwhile) * layerReading
        return (slots == 1 ? computing + waiting : max(computing, waiting), Double(streamed) * layerReading)
    }
}
