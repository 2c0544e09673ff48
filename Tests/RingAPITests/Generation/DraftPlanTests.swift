// How many guesses ride along, by what they promise and cost.

import Testing

@testable import RingAPI

@Suite struct DraftPlanTests {
    private func counts(
        _ probabilities: [Double], overheadRows: Int, rows: Int? = nil, rowsMax: Int = 512, countMax: Int = 255,
        areOthersWaiting: Bool = false
    ) -> [Int] {
        let runs = probabilities.map { probability in DraftPlan.Run(countMax: countMax) { _ in probability } }
        return DraftPlan.counts(
            for: runs, rows: rows ?? runs.count, rowsMax: rowsMax, areOthersWaiting: areOthersWaiting,
            cost: LapCost(overheadRows: overheadRows))
    }

    /// What one stream gains with `count` guesses, over none.
    private func gain(_ probability: Double, _ count: Int, overheadRows: Int) -> Double {
        let tokens = (0...count).reduce(0.0) { sum, number in (0..<number).reduce(1.0) { p, _ in p * probability } + sum
        }
        return tokens * Double(overheadRows + 1) / Double(overheadRows + 1 + count)
    }

    @Test(arguments: [0.3, 0.6, 0.9, 0.97], [2, 8, 40, 256])
    func oneStreamGetsTheBestNumber(probability: Double, overheadRows: Int) {
        let planned = counts([probability], overheadRows: overheadRows)[0]
        let best = (0...255).map { gain(probability, $0, overheadRows: overheadRows) }.max() ?? 0
        let got = gain(probability, planned, overheadRows: overheadRows)
        #expect(planned == 0 ? best <= 1.06 : got >= best * 0.99, "\(planned) guesses")
    }

    @Test func dearLapsGoOnPoorGuesses() {
        #expect(counts([0.2], overheadRows: 2) == [0])
        #expect(counts([0.2], overheadRows: 256)[0] >= 2)
    }

    @Test func limitsHold() {
        #expect(counts([0.99], overheadRows: 256, countMax: 3) == [3])
        #expect(counts([0.99], overheadRows: 256, rowsMax: 6) == [5])
        #expect(counts([0.99, 0.99], overheadRows: 256, rowsMax: 2) == [0, 0])
        #expect(counts([0, 0], overheadRows: 256) == [0, 0])
    }

    @Test func nobodyIsDelayedForAnothersGuesses() {
        let overheadRows = 8
        #expect(counts([0.98, 0], overheadRows: overheadRows) == [0, 0], "a row is 10 % of such a step")
        #expect(counts([0.98], overheadRows: overheadRows, areOthersWaiting: true) == [0])
        let planned = counts([0.98, 0], overheadRows: 256)
        #expect(planned[1] == 0 && (1...8).contains(planned[0]), "a few rows do not show in a pass over the disk")
    }

    @Test func streamsThatAllGainShareTheStep() {
        let planned = counts([0.98, 0.98, 0.98], overheadRows: 30)
        #expect(planned.allSatisfy { $0 >= 2 })
        #expect((planned.max() ?? 0) - (planned.min() ?? 0) <= 1)
    }
}
