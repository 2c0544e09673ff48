// Tests of moments and durations.

import Testing

@testable import RingTransport

@Suite struct MonotonicTimeTests {
    @Test func pollTimeoutsAreRoundedUpAndBounded() {
        let now = MonotonicTime(nanoseconds: 5)
        #expect(now.pollMilliseconds(from: now) == 0)
        #expect(MonotonicTime(nanoseconds: 4).pollMilliseconds(from: now) == 0)
        #expect(MonotonicTime(nanoseconds: 6).pollMilliseconds(from: now) == 1)
        #expect((now + .milliseconds(7)).pollMilliseconds(from: now) == 7)
        #expect((now + .seconds(Int64.max / 2)).pollMilliseconds(from: now) == Int32.max)
    }

    @Test func secondsAreWrittenForPeople() {
        #expect(Duration.seconds(5).inSeconds == "5")
        #expect(Duration.milliseconds(200).inSeconds == "0.2")
        #expect(Duration.milliseconds(1_050).inSeconds == "1.05")
    }
}
