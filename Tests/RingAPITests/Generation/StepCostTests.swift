// What steps of other sizes teach about a step.

import Testing

@testable import RingAPI

@Suite struct StepCostTests {
    @Test func nothingKnownIsTheExpectedProportion() {
        let cost = StepCost(expectedOverheadRows: 8)
        #expect(!cost.isMeasured)
        #expect(cost.overheadRows == 8)
        #expect(cost.nanoseconds(rows: 8) / cost.nanoseconds(rows: 0) == 2)
    }

    /// Steps of one size say how long, not which part of it is the rows'.
    @Test(arguments: [1, 512]) func oneSizeKeepsTheExpectedProportion(rows: Int) {
        var cost = StepCost(expectedOverheadRows: 8)
        for _ in 0..<40 { cost.observe(rows: rows, nanoseconds: 30_000_000) }
        #expect(cost.isMeasured)
        #expect(abs(cost.nanoseconds(rows: rows) / 30_000_000 - 1) < 1e-6)
        #expect(abs(cost.overheadRows / 8 - 1) < 1e-6)
    }

    @Test(arguments: [(3.0, 100.0), (0.5, 2_000_000.0), (400.0, 9_000_000.0)])
    func twoSizesGiveTheLine(overheadRows: Double, perRow: Double) {
        var cost = StepCost(expectedOverheadRows: 8)
        let line = { (rows: Int) in (overheadRows + Double(rows)) * perRow }
        for _ in 0..<4 {
            cost.observe(rows: 2, nanoseconds: UInt64(line(2)))
            cost.observe(rows: 256, nanoseconds: UInt64(line(256)))
        }
        for rows in [1, 16, 64, 512] { #expect(abs(cost.nanoseconds(rows: rows) / line(rows) - 1) < 0.02) }
    }

    @Test func manyTokensDoNotMakeAPromptForgotten() {
        var cost = StepCost(expectedOverheadRows: 8)
        for _ in 0..<4 { cost.observe(rows: 256, nanoseconds: 258_000) }
        for _ in 0..<100_000 { cost.observe(rows: 1, nanoseconds: 3000) }
        #expect(abs(cost.nanoseconds(rows: 256) / 258_000 - 1) < 0.02)
    }

    @Test func aBusyMachineIsFollowedAndForgotten() {
        var cost = StepCost(expectedOverheadRows: 8)
        for _ in 0..<100 { cost.observe(rows: 1, nanoseconds: 3000) }
        cost.observe(rows: 1, nanoseconds: 30_000)
        #expect(cost.nanoseconds(rows: 1) < 6000, "one step set aside by the system is not how the ring is")
        for _ in 0..<100 { cost.observe(rows: 1, nanoseconds: 9000) }
        #expect(abs(cost.nanoseconds(rows: 1) / 9000 - 1) < 0.02)
    }

    /// Whatever shards report, the figures stay usable: finite, and larger steps take longer.
    @Test func nonsenseStaysUsable() {
        var numbers = SeededNumbers(seed: 5)
        for _ in 0..<200 {
            var cost = StepCost(expectedOverheadRows: Int.random(in: 0...300, using: &numbers))
            for _ in 0..<20 {
                let exponent = Int.random(in: 0..<64, using: &numbers)
                cost.observe(
                    rows: Int.random(in: 0...4096, using: &numbers),
                    nanoseconds: UInt64.random(in: 0...UInt64.max >> exponent, using: &numbers))
                #expect(cost.base.isFinite && cost.base >= 0)
                #expect(cost.perRow.isFinite && cost.perRow > 0)
                #expect(cost.overheadRows.isFinite)
            }
        }
    }
}
