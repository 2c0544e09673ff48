// The arithmetic of the table's figures.

import Testing

@testable import ring_bench

@Suite struct BenchRowTests {
    @Test func aRatioIsTheMedianOfTheRoundsRatios() {
        // In the second round both were disturbed alike, in the third only the peer.
        var row = BenchRow(name: "", unit: "tok/s", ours: Samples([80, 40, 80]))
        row.peer = Samples([50, 25, 10])
        #expect(row.ratio == 1.6)
        #expect(row.ratioSpread == 1.6...8)
    }

    @Test func whereLowerIsBetterTheRatioIsTurnedOver() {
        var row = BenchRow(name: "", unit: "µs", better: .lower, ours: Samples([10]))
        row.peer = Samples([15])
        row.limit = 8
        #expect(row.ratio == 1.5)
        #expect(row.fraction == 0.8)
    }

    @Test func aGoalIsReachedOnlyWithAllItsParts() {
        var row = BenchRow(name: "", unit: "tok/s", ours: Samples([90, 92, 88]))
        #expect(row.reachesGoal == nil)
        row.peer = Samples([50, 50, 50])
        row.limit = 100
        row.goal = BenchRow.Goal(ratio: 1.7, fraction: 0.88)
        #expect(row.reachesGoal == true)
        row.goal?.fraction = 0.91
        #expect(row.reachesGoal == false)
        row.goal = BenchRow.Goal(most: 89)
        #expect(row.reachesGoal == false)
        row.goal = BenchRow.Goal(ratio: 1.7)
        row.peer = nil
        #expect(row.reachesGoal == false, "a ratio that was not measured is not reached")
    }

    @Test func mediansOfOddAndEvenCounts() {
        #expect([3.0, 1, 2].median == 2)
        #expect([4.0, 1, 2, 3].median == 2.5)
        #expect([Double]().median == 0)
        #expect(Samples(64, inSeconds: [2, 1, 4]).values == [32, 64, 16])
    }

    @Test func figuresKeepThreeDigits() {
        #expect(BenchTable.figure(83.46) == "83.5")
        #expect(BenchTable.figure(1.704) == "1.70")
        #expect(BenchTable.figure(99.96) == "100")
        #expect(BenchTable.figure(9.996) == "10.0")
        #expect(BenchTable.figure(0.05) == "0.05")
        #expect(BenchTable.figure(27_133) == "27133")
    }

    @Test func aRowsLineHoldsItsFigures() {
        var row = BenchRow(name: "decode", unit: "tok/s", ours: Samples([80, 90, 100]))
        row.peer = Samples([40, 50, 60])
        row.peerName = "llama.cpp"
        row.limit = 100
        row.goal = BenchRow.Goal(ratio: 1.7, fraction: 0.92)
        let cells = BenchTable.line(row).split(separator: "|").map { $0.trimmed }
        #expect(
            cells == [
                "decode", "90.0 tok/s (80.0–100)", "50.0 llama.cpp", "1.80× (1.67–2.00)", "100", "90 %",
                "≥ 1.70×, ≥ 92 %", "no",
            ])
    }
}

extension Substring {
    fileprivate var trimmed: String {
        String(drop { $0 == " " }.reversed().drop { $0 == " " }.reversed())
    }
}
