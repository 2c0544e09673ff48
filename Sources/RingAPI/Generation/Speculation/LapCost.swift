// What a step of so many rows costs, from the steps seen so far.

/// The time of decode steps as a function of their rows: a line, corrected at the numbers of rows that were seen often,
/// because kernels work on several rows at a time and a line does not know it.
///
/// Time on the ring outside the layers (links, waiting behind other steps) is kept apart, so that a busy ring does not
/// look like dear rows.
struct LapCost {
    /// Most rows whose own times are kept.
    private static let rowsKeptMax = 64
    /// Observations after which an older one counts 1/e of the latest.
    private static let memorySteps = 64.0
    /// Observations of one number of rows that the line weighs as much as.
    private static let lineWeight = 2.0

    private struct Mean {
        var seconds = 0.0
        var weight = 0.0
        var observedAt = 0.0
    }

    private var compute: DecayingLine
    private var elsewhere: DecayingLine
    private var means = [Mean](repeating: Mean(), count: rowsKeptMax + 1)
    private var observations = 0.0

    /// - Parameter overheadRows: rows whose computing is assumed to cost as much as the rest of a step.
    init(overheadRows: Int) {
        // Three rows apart and seen a few times is enough to believe a slope.
        compute = DecayingLine(interceptX: Double(-overheadRows), slopeWeight: 16, memory: Self.memorySteps)
        elsewhere = DecayingLine(interceptX: -.infinity, slopeWeight: 256, memory: Self.memorySteps)
    }

    /// - Parameters:
    ///   - roundTrip: from sending the step to its result.
    ///   - computing: the part of it that shards spent in layers, disk included.
    mutating func observe(rows: Int, roundTrip: Duration, computing: Duration) {
        guard rows > 0 else { return }
        observations += 1
        let seconds = compute.observe(Double(rows), max(1e-9, computing / .seconds(1)))
        _ = elsewhere.observe(Double(rows), max(1e-9, (roundTrip - computing) / .seconds(1)))
        guard rows <= Self.rowsKeptMax else { return }
        let weight = self.weight(of: means[rows])
        let mean = weight == 0 ? seconds : means[rows].seconds + (seconds - means[rows].seconds) / min(weight + 1, 8)
        means[rows] = Mean(seconds: mean, weight: min(weight, 15) + 1, observedAt: observations)
    }

    private func weight(of mean: Mean) -> Double {
        guard mean.weight > 0 else { return 0 }
        let age = (observations - mean.observedAt) / Self.memorySteps
        return age > 8 ? 0 : mean.weight / (1 + age * age)
    }

    /// Seconds, or another unit before anything was observed: only ratios mean something.
    func seconds(rows: Int) -> Double {
        let line = compute.value(at: Double(rows))
        guard observations > 0 else { return line }
        var seconds = line
        if rows <= Self.rowsKeptMax {
            let weight = self.weight(of: means[rows])
            seconds = (means[rows].seconds * weight + line * Self.lineWeight) / (weight + Self.lineWeight)
        }
        return seconds + elsewhere.value(at: Double(rows))
    }
}
