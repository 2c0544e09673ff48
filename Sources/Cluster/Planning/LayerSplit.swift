// The best division of the layers over machines in a given order.

/// Exact for any layers, by dynamic programming over where each machine's run ends. Time n L² for each limit on reading
/// that is tried.
struct LayerSplit: Sendable {
    /// In the order of the machines.
    let runs: [Range<Int>]
    /// Combined costs of the stages and of what is outside them, and no less than any stage reads for: what is read
    /// while other machines work must have arrived by the time they are done.
    let seconds: Double

    /// - Parameters:
    ///   - outsideSeconds: what a step spends on links.
    /// - Returns: `nil` when the machines cannot hold the layers.
    init?(_ stages: StageTable, outsideSeconds: Double, _ combine: CostCombination) {
        func split(readSecondsMax: Double) -> LayerSplit? {
            LayerSplit(stages, outsideSeconds, combine, readSecondsMax)
        }
        guard let free = split(readSecondsMax: .infinity) else { return nil }
        guard free.isBoundByReading else {
            self = free
            return
        }
        // With less reading allowed the stages cost more: the best lies where the two meet.
        let limits = stages.readSeconds
        var (low, high) = (0, limits.count - 1)
        var best = free
        while low <= high {
            let middle = (low + high) / 2
            let split = split(readSecondsMax: limits[middle])
            if let split, split.seconds < best.seconds { best = split }
            if let split, split.combinedSeconds <= limits[middle] { high = middle - 1 } else { low = middle + 1 }
        }
        self = best
    }

    /// Costs of stages and links, whatever is read.
    private let combinedSeconds: Double

    private var isBoundByReading: Bool { seconds > combinedSeconds }

    private init?(
        _ stages: StageTable, _ outsideSeconds: Double, _ combine: CostCombination, _ readSecondsMax: Double
    ) {
        let (machines, layerCount) = (stages.machines, stages.layerCount)
        guard machines >= 1, machines <= layerCount else { return nil }
        let width = layerCount + 1
        // `[machines so far, layers so far]`
        var best = [Double](repeating: .infinity, count: (machines + 1) * width)
        var firsts = [Int](repeating: 0, count: (machines + 1) * width)
        best[0] = outsideSeconds
        for machine in 0..<machines {
            // Each machine before and after has at least one layer.
            let after = machines - machine - 1
            for first in machine..<(layerCount - after) where best[machine * width + first] < .infinity {
                let before = best[machine * width + first]
                for end in (first + 1)...(layerCount - after) {
                    let (seconds, readSeconds) = stages.seconds(machine, first, end)
                    guard readSeconds <= readSecondsMax else { continue }
                    let total = combine(before, seconds)
                    if total < best[(machine + 1) * width + end] {
                        best[(machine + 1) * width + end] = total
                        firsts[(machine + 1) * width + end] = first
                    }
                }
            }
        }
        let combinedSeconds = best[machines * width + layerCount]
        guard combinedSeconds < .infinity else { return nil }

        var runs: [Range<Int>] = []
        var reading = 0.0
        var end = layerCount
        for machine in (0..<machines).reversed() {
            let first = firsts[(machine + 1) * width + end]
            reading = max(reading, stages.seconds(machine, first, end).reading)
            runs.append(first..<end)
            end = first
        }
        self.runs = runs.reversed()
        self.combinedSeconds = combinedSeconds
        self.seconds = max(combinedSeconds, reading)
    }
}
