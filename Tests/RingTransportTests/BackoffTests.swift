// Tests of the delays between dials.

import Testing

@testable import RingTransport

@Suite struct BackoffTests {
    @Test func doublesUpToTheLargestAndBeginsAnew() {
        var backoff = Backoff(first: .milliseconds(50), max: .seconds(2))
        let delays = (0..<8).map { _ in backoff.delay() }
        #expect(delays == [50, 100, 200, 400, 800, 1600, 2000, 2000].map { .milliseconds($0) })
        backoff.reset()
        #expect(backoff.delay() == .milliseconds(50))
    }

    @Test func aFirstDelayAboveTheLargestIsCut() {
        var backoff = Backoff(first: .seconds(3), max: .seconds(2))
        #expect(backoff.delay() == .seconds(2))
    }
}
