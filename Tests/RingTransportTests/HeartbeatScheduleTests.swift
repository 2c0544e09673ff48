// Tests of when heartbeats are due, by a clock the test sets.

import Testing

@testable import RingTransport

@Suite struct HeartbeatScheduleTests {
    private let start = MonotonicTime(nanoseconds: 1_000)

    @Test func isDueWhenNothingElseWasSent() {
        var schedule = HeartbeatSchedule(interval: .seconds(1), startingAt: start)
        #expect(schedule.action(at: start) == .wait(until: start + .seconds(1)))
        #expect(schedule.action(at: start + .milliseconds(999)) == .wait(until: start + .seconds(1)))
        #expect(schedule.action(at: start + .seconds(1)) == .send)
        schedule.sent(at: start + .milliseconds(1_500))
        #expect(schedule.action(at: start + .seconds(2)) == .wait(until: start + .milliseconds(2_500)))
        #expect(schedule.action(at: start + .seconds(60)) == .send)
    }
}
