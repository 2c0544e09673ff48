// Drafts for all sequences of a ring: whether, how many, and what became of them.

/// Whether tokens are guessed ahead and verified in one pass. The tokens that come of it are the same in any case.
public enum SpeculationMode: String, CaseIterable, Sendable {
    /// Where it is expected to be faster, from what steps and guesses have been like so far.
    case auto
    /// Wherever there is a guess.
    case on
    case off
}

/// What is common to the drafts of all sequences.
struct Speculation {
    /// Guesses in a run, and the match they must come from, when drafts are always made.
    private static let alwaysCount = 16
    private static let alwaysMatchLength = 2

    let mode: SpeculationMode
    /// Guesses that were sent in steps that brought a result, and those of them that were right.
    private(set) var draftedCount: UInt64 = 0
    private(set) var acceptedCount: UInt64 = 0
    /// How often guesses were right in all sequences.
    var confidence = DraftConfidence(observations: 1024)
    private var cost = LapCost(overheadRows: PackingPolicy.overheadRowsFromMemory)

    init(mode: SpeculationMode) {
        self.mode = mode
    }

    /// Forgets what steps cost on another ring.
    mutating func ringFormed(_ policy: PackingPolicy) {
        cost = LapCost(overheadRows: Int(policy.cost.overheadRows))
    }

    mutating func observe(rows: Int, roundTrip: Duration, computing: Duration) {
        guard mode == .auto else { return }
        cost.observe(rows: rows, roundTrip: roundTrip, computing: computing)
    }

    mutating func count(drafted: Int, accepted: Int) {
        draftedCount += UInt64(drafted)
        acceptedCount += UInt64(accepted)
    }

    /// How many guesses each sequence should send along; 0 for those without a drafter.
    /// - Parameters: as for ``DraftPlan/counts(for:rows:rowsMax:areOthersWaiting:cost:)``.
    func counts(
        for sequences: [(drafter: Drafter?, countMax: Int)], rows: Int, rowsMax: Int, areOthersWaiting: Bool
    ) -> [Int] {
        switch mode {
        case .off: return []
        case .on:
            var room = rowsMax - rows
            return sequences.map { drafter, countMax in
                guard let drafter, drafter.matchLength >= Self.alwaysMatchLength else { return 0 }
                let count = max(0, min(Self.alwaysCount, countMax, drafter.guessesMax, room))
                room -= count
                return count
            }
        case .auto:
            let runs = sequences.map { drafter, countMax in
                DraftPlan.Run(countMax: min(countMax, drafter?.guessesMax ?? 0)) { number in
                    drafter?.probability(ofGuess: number, common: confidence) ?? 0
                }
            }
            guard runs.contains(where: { $0.countMax > 0 }) else { return [] }
            return DraftPlan.counts(
                for: runs, rows: rows, rowsMax: rowsMax, areOthersWaiting: areOthersWaiting, cost: cost)
        }
    }
}
