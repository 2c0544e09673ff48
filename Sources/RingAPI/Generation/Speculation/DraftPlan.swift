// How many guesses ride with each run of a step.

/// The most tokens a second that the ring can be expected to give, with nobody the worse for another's drafts.
enum DraftPlan {
    /// What drafts must promise over none: estimates are not better than this.
    private static let gainMin = 1.05
    /// How much longer a step may take for a stream that gains nothing by it.
    private static let delayMax = 1.03
    /// A guess less likely to be used is worth no row on any ring.
    private static let probabilityMin = 0.002

    /// A run that may carry drafts.
    struct Run {
        /// Most guesses it may carry.
        var countMax: Int
        /// The probability that a guess is right if those before it are, by its number from 0.
        var probability: (Int) -> Double
    }

    /// - Parameters:
    ///   - runs: the decoding runs of the step.
    ///   - rows: of the step without drafts.
    ///   - rowsMax: with drafts.
    ///   - areOthersWaiting: whether sequences wait for the step, or behind it, that have no run in `runs`.
    /// - Returns: the number of guesses for each run.
    static func counts(
        for runs: [Run], rows: Int, rowsMax: Int, areOthersWaiting: Bool, cost: LapCost
    ) -> [Int] {
        var counts = [Int](repeating: 0, count: runs.count)
        var best = counts
        // Tokens each run is expected to bring, and the probability that its next guess will be among them.
        var expected = [Double](repeating: 1, count: runs.count)
        var next = runs.map { $0.countMax > 0 ? $0.probability(0) : 0 }
        let alone = cost.seconds(rows: rows)
        var total = Double(runs.count)
        var bestRate = total * gainMin
        for added in stride(from: 1, through: rowsMax - rows, by: 1) {
            guard let run = next.indices.max(by: { next[$0] < next[$1] }), next[run] > probabilityMin else { break }
            let probability = next[run]
            counts[run] += 1
            expected[run] += probability
            total += probability
            next[run] = counts[run] < runs[run].countMax ? probability * runs[run].probability(counts[run]) : 0
            let delay = cost.seconds(rows: rows + added) / alone
            let least = areOthersWaiting ? 1 : expected.min() ?? 1
            guard total / delay > bestRate, delay <= max(delayMax, least) else { continue }
            (best, bestRate) = (counts, total / delay)
        }
        return best
    }
}
