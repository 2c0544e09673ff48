// What a ring has done so far: its shards' work, and its steps.

import RingAPI

/// Two of them tell what happened in between.
struct RingLoad {
    let at: ContinuousClock.Instant
    /// Processor time of each shard, in ring order.
    let shardSeconds: [Double]
    let steps: UInt64
    /// Tokens of those steps.
    let rows: UInt64

    /// The part of the time since `start` that each shard worked, when it has `threads` threads.
    func busy(since start: RingLoad, threads: Int) -> [Double] {
        let seconds = start.at.duration(to: at).seconds * Double(threads)
        return zip(shardSeconds, start.shardSeconds).map { seconds > 0 ? ($0 - $1) / seconds : 0 }
    }

    /// Tokens of a step, in the mean.
    func rowsPerStep(since start: RingLoad) -> Double {
        steps > start.steps ? Double(rows - start.rows) / Double(steps - start.steps) : 0
    }
}

extension ServedRing {
    var load: RingLoad {
        let metrics = coordinator.status().metrics
        return RingLoad(
            at: .now, shardSeconds: processes.map(\.processorSeconds), steps: metrics.stepsCompleted,
            rows: metrics.rowsCompleted)
    }
}
