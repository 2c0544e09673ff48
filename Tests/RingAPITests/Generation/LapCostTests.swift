// What steps cost, as learnt from their times.

import Testing

@testable import RingAPI

@Suite struct LapCostTests {
    private func ratio(_ cost: LapCost, _ rows: Int) -> Double { cost.seconds(rows: rows) / cost.seconds(rows: 1) }

    @Test func beforeAnythingIsSeenTheExpectationHolds() {
        #expect(abs(ratio(LapCost(overheadRows: 8), 10) - 2) < 1e-9)
        var seen = LapCost(overheadRows: 8)
        for _ in 0..<100 { seen.observe(rows: 1, roundTrip: .milliseconds(9), computing: .milliseconds(9)) }
        #expect(abs(ratio(seen, 10) - 2) < 0.01, "and as long as all steps are alike")
    }

    @Test func timesThatAreNoLineAreLearnt() {
        // Rows in tiles of four: the second row costs as much as the next two together.
        func milliseconds(_ rows: Int) -> Int64 { Int64(20 + 8 * ((rows - 1 + 3) / 4)) }
        var cost = LapCost(overheadRows: 8)
        var numbers = SeededNumbers(seed: 1)
        for _ in 0..<300 {
            let rows = Int.random(in: 1...12, using: &numbers)
            cost.observe(
                rows: rows, roundTrip: .milliseconds(milliseconds(rows)), computing: .milliseconds(milliseconds(rows)))
        }
        for rows in 2...12 {
            let expected = Double(milliseconds(rows)) / Double(milliseconds(1))
            #expect(abs(ratio(cost, rows) / expected - 1) < 0.1, "\(rows) rows")
        }
    }

    @Test func timeOnLinksMakesALapDearAndNotItsRows() {
        var cost = LapCost(overheadRows: 8)
        for _ in 0..<50 {
            for rows in [1, 2, 4] {
                let computing = Duration.milliseconds(1 + rows)
                cost.observe(rows: rows, roundTrip: computing + .milliseconds(98), computing: computing)
            }
        }
        #expect(abs(ratio(cost, 21) - 1.2) < 0.02)
    }

    @Test func onePauseOfTheMachineIsNoPrice() {
        var cost = LapCost(overheadRows: 8)
        func observe(_ rows: Int, _ milliseconds: Int) {
            cost.observe(rows: rows, roundTrip: .milliseconds(milliseconds), computing: .milliseconds(milliseconds))
        }
        for _ in 0..<20 { for rows in [1, 3, 5] { observe(rows, 9 + rows) } }
        let before = ratio(cost, 5)
        observe(5, 3000)
        #expect(ratio(cost, 5) < before * 1.25)
        for _ in 0..<300 { observe(1, 10) }
        #expect(abs(ratio(cost, 5) / before - 1) < 0.15, "what was bad once is not shunned for ever")
    }

    @Test func aRingThatGetsSlowerIsFollowed() {
        var cost = LapCost(overheadRows: 8)
        for _ in 0..<50 { cost.observe(rows: 1, roundTrip: .milliseconds(10), computing: .milliseconds(10)) }
        for _ in 0..<200 { cost.observe(rows: 1, roundTrip: .milliseconds(80), computing: .milliseconds(80)) }
        #expect(abs(cost.seconds(rows: 1) / 0.08 - 1) < 0.05)
    }
}
