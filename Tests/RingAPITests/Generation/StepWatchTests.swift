// Steps that are slow and steps that are lost.

import Testing

@testable import RingAPI

@Suite struct StepWatchTests {
    @Test func roundTripsAreMeasured() {
        var watch = StepWatch()
        watch.sent(1, at: .seconds(1))
        watch.sent(2, at: .seconds(2))
        let first = watch.ended(1, at: .seconds(4))
        #expect(first == .seconds(3))
        let again = watch.ended(1, at: .seconds(5))
        #expect(again == nil)
    }

    /// One lap more than rounds, since a failure may come later than a probe.
    @Test(arguments: [1, 2, 3]) func aStepThatProbesOvertakeIsLost(rounds: Int) {
        var watch = StepWatch()
        watch.sent(1, at: .zero)
        for probe in 1...UInt64(rounds) {
            watch.probeSent(probe)
            let lost = watch.probeReturned(probe, rounds: rounds)
            #expect(lost == nil)
        }
        watch.probeSent(9)
        watch.sent(2, at: .zero)
        let lost = watch.probeReturned(9, rounds: rounds)
        #expect(lost == 1, "a step sent after the probe proves nothing")
    }

    @Test func onlyTheLatestProbeCounts() {
        var watch = StepWatch()
        watch.sent(1, at: .zero)
        watch.probeSent(1)
        watch.probeSent(2)
        // Two probes on the ring at the same time are one lap.
        _ = watch.probeReturned(1, rounds: 1)
        let lost = watch.probeReturned(2, rounds: 1)
        #expect(lost == nil)
    }

    @Test func slowStepsAreNoticedOnceAndOverdueOnesFound() {
        var watch = StepWatch()
        watch.sent(1, at: .seconds(0))
        watch.sent(2, at: .seconds(5))
        var noticed = watch.notice(olderThan: .seconds(10), at: .seconds(10))
        #expect(noticed == [1])
        noticed = watch.notice(olderThan: .seconds(10), at: .seconds(15))
        #expect(noticed == [2])
        #expect(watch.overdue(.seconds(300), at: .seconds(299)) == nil)
        #expect(watch.overdue(.seconds(300), at: .seconds(300)) == 1)
        watch.clear()
        #expect(watch.isEmpty)
    }
}
