// Epochs grow, over restarts too.

import Testing

@testable import RingAPI

@Suite struct EpochCounterTests {
    @Test func epochsGrowFromTheClock() {
        var counter = EpochCounter(wallClockMilliseconds: 1_800_000_000_000)
        let first = counter.next()
        #expect(first == 1_800_000_000_000 << 16 + 1)
        #expect(counter.next() == first + 1)
        var restarted = EpochCounter(wallClockMilliseconds: 1_800_000_000_001)
        #expect(restarted.next() > first + 1)
    }

    @Test func leapsMakeUpForAClockThatWasSetBack() {
        let month: UInt64 = 31 * 24 * 3600 * 1000
        let before = EpochCounter(wallClockMilliseconds: 1_800_000_000_000)
        var counter = EpochCounter(wallClockMilliseconds: 1_800_000_000_000 - month)
        var leaps = 0
        while counter.latest <= before.latest {
            counter.leapAhead()
            leaps += 1
        }
        #expect(leaps <= 22)
    }

    @Test func noClockOverflows() {
        var counter = EpochCounter(wallClockMilliseconds: .max)
        for _ in 0..<1000 { counter.leapAhead() }
        #expect(counter.next() > 0)
    }
}
