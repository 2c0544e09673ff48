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

    /// Attention is told from the rows as soon as rows have looked back differently far.
    @Test(arguments: [0.0, 1.0, 40.0]) func contextGivesThePlane(perContext: Double) {
        var cost = StepCost(expectedOverheadRows: 8)
        let time = { (size: StepSize) in 30_000 + 5000 * Double(size.rows) + perContext * Double(size.context) }
        for position in stride(from: 0, to: 2000, by: 40) {
            for rows in [1, 40] {
                var size = StepSize()
                size.add(rows: rows, after: position)
                cost.observe(size, nanoseconds: UInt64(time(size)))
            }
        }
        cost.fit()
        for (rows, position) in [(1, 0), (8, 300), (64, 2000), (200, 6000)] {
            var size = StepSize()
            size.add(rows: rows, after: position)
            #expect(abs(cost.nanoseconds(size) / time(size) - 1) < 0.03, "\(rows) rows after \(position)")
        }
        #expect(abs(cost.nanoseconds(ofRowAfter: 1000) / (5000 + 1000 * perContext) - 1) < 0.03)
    }

    /// Where all rows look back equally far, nobody can tell, and it does not matter.
    @Test func oneContextIsTheRows() {
        var cost = StepCost(expectedOverheadRows: 8)
        for rows in [2, 64, 256] {
            let size = StepSize(rows: rows, context: 500 * rows)
            for _ in 0..<4 { cost.observe(size, nanoseconds: UInt64(1000 * (3 + rows))) }
        }
        cost.fit()
        #expect(abs(cost.nanoseconds(StepSize(rows: 100, context: 50_000)) / 103_000 - 1) < 0.03)
        #expect(cost.perContext * 500 < 0.1 * cost.perRow)
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
                var size = StepSize()
                size.add(
                    rows: Int.random(in: 0...4096, using: &numbers), after: Int.random(in: 0...1 << 20, using: &numbers)
                )
                cost.observe(size, nanoseconds: UInt64.random(in: 0...UInt64.max >> exponent, using: &numbers))
                cost.fit()
                #expect(cost.base.isFinite && cost.base >= 0)
                #expect(cost.perRow.isFinite && cost.perRow > 0)
                #expect(cost.perContext.isFinite && cost.perContext >= 0)
                #expect(cost.overheadRows.isFinite)
            }
        }
    }
}
