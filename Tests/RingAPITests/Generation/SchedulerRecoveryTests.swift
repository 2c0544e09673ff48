// Failed steps and lost rings: who ends, who is sent again, and that nothing shows in the tokens.

import Testing
import Wire

@testable import RingAPI

@Suite struct SchedulerRecoveryTests {
    private let failure = GenerationFailure(reason: "no room for the cache", shard: "b")

    private func scheduler(limits: SchedulerLimits = .init()) throws -> Scheduler {
        var scheduler = Scheduler(limits: limits)
        let policy = try EngineFixtures.policy(EngineFixtures.oneShard, limits: limits)
        #expect(scheduler.resume(epoch: 1, policy: policy) == [])
        return scheduler
    }

    // MARK: Failed steps

    @Test func aStepThatFailsEndsItsSequences() throws {
        var scheduler = try scheduler()
        let ids = try (0..<2).map { try scheduler.admit(EngineFixtures.request(prompt: 4, salt: $0)) }
        let step = try scheduler.packed()
        let outputs = scheduler.fail(step: step.stepID, culprit: nil, remedy: .end, failure)
        #expect(outputs == ids.map { .failed(sequence: $0, failure) })
        #expect(scheduler.isIdle)
        #expect(scheduler.takeForgotten() == ids)
    }

    @Test func onlyTheSequenceAtFaultEnds() throws {
        var scheduler = try scheduler()
        var model = SimulatedModel()
        let good = EngineFixtures.request(prompt: 4, salt: 1, tokensMax: 3)
        let ids = try [EngineFixtures.request(prompt: 4), good].map { try scheduler.admit($0) }
        let step = try scheduler.packed()
        let outputs = scheduler.fail(step: step.stepID, culprit: ids[0], remedy: .end, failure)
        #expect(outputs == [.failed(sequence: ids[0], failure)])

        let again = try scheduler.packed()
        #expect(again.runs == step.runs.filter { $0.sequenceID == ids[1] })
        var events = scheduler.apply(try model.answer(again))
        while let step = scheduler.nextStep() { events += scheduler.apply(try model.answer(step)) }
        let expected = SimulatedModel.expectedEvents(of: good, contextTokensMax: 4096)
        #expect(events == expected.map { .event(sequence: ids[1], $0) })
    }

    @Test func aFailureThatNamesAStrangerEndsTheWholeStep() throws {
        var scheduler = try scheduler()
        let id = try scheduler.admit(EngineFixtures.request(prompt: 4))
        let step = try scheduler.packed()
        #expect(
            scheduler.fail(step: step.stepID, culprit: 99, remedy: .end, failure) == [.failed(sequence: id, failure)])
    }

    @Test func chunksBehindAFailedOneAreSentAgain() throws {
        var limits = SchedulerLimits()
        limits.rowsPerStepMax = 48
        limits.stepsInFlight = 2
        var scheduler = try scheduler(limits: limits)
        var model = SimulatedModel()
        let short = try scheduler.admit(EngineFixtures.request(prompt: 16))
        let request = EngineFixtures.request(prompt: 60, salt: 1, tokensMax: 2, promptLogprobs: 1)
        let long = try scheduler.admit(request)
        let first = try scheduler.packed()
        let second = try scheduler.packed()
        #expect(first.runs.map(\.tokens.count) == [16, 32])
        #expect(second.runs.map(\.position) == [32])

        // The shard refuses the short one, so the long one's first chunk is not applied and its second meets a gap.
        _ = scheduler.fail(step: first.stepID, culprit: short, remedy: .end, failure)
        let again = try scheduler.packed()
        #expect(again.runs.map(\.position) == [0])
        #expect(again.runs.flatMap(\.tokens) == Array(request.prompt[..<48]))
        #expect(throws: Failure.self) { try model.answer(second) }
        #expect(scheduler.fail(step: second.stepID, culprit: long, remedy: .sendAgain, failure) == [])

        var events = scheduler.apply(try model.answer(again))
        while let step = scheduler.nextStep() { events += scheduler.apply(try model.answer(step)) }
        let expected = SimulatedModel.expectedEvents(of: request, contextTokensMax: 4096)
        #expect(events == expected.map { .event(sequence: long, $0) })
    }

    @Test func aLostCacheIsRebuiltFromTheLog() throws {
        var scheduler = try scheduler()
        var model = SimulatedModel()
        let request = EngineFixtures.request(prompt: 5, tokensMax: 4)
        let id = try scheduler.admit(request)
        var events = scheduler.apply(try model.answer(try scheduler.packed()))
        model.forgetAll()
        let step = try scheduler.packed()
        #expect(throws: Failure.self) { try model.answer(step) }
        #expect(scheduler.fail(step: step.stepID, culprit: id, remedy: .sendAgain, failure) == [])
        let again = try scheduler.packed()
        #expect(again.runs.map(\.position) == [0])
        #expect(again.runs.map(\.tokens.count) == [6])
        events += scheduler.apply(try model.answer(again))
        while let step = scheduler.nextStep() { events += scheduler.apply(try model.answer(step)) }
        let expected = SimulatedModel.expectedEvents(of: request, contextTokensMax: 4096)
        #expect(events == expected.map { .event(sequence: id, $0) })
    }

    @Test func aSequenceIsNotSentAgainForever() throws {
        var scheduler = try scheduler()
        let id = try scheduler.admit(EngineFixtures.request(prompt: 5))
        for _ in 0..<scheduler.limits.replaysMax {
            let step = try scheduler.packed()
            #expect(scheduler.fail(step: step.stepID, culprit: nil, remedy: .sendAgain, failure) == [])
        }
        let step = try scheduler.packed()
        let outputs = scheduler.fail(step: step.stepID, culprit: nil, remedy: .sendAgain, failure)
        #expect(outputs == [.failed(sequence: id, failure)])
    }

    @Test func aFailureOfNoStepIsIgnored() throws {
        var scheduler = try scheduler()
        #expect(
            scheduler.fail(step: 7, culprit: nil, remedy: .end, failure)
                == [.ignored("a failure of step 7, which is not on the ring: no room for the cache")])
    }

    // MARK: Lost rings

    @Test func aStreamGoesOnInANewEpoch() throws {
        var limits = SchedulerLimits()
        limits.rowsPerStepMax = 16
        var scheduler = try scheduler(limits: limits)
        var model = SimulatedModel()
        let request = EngineFixtures.request(prompt: 20, tokensMax: 12, promptLogprobs: 0)
        let id = try scheduler.admit(request)
        var events: [SchedulerOutput] = []
        for _ in 0..<7 { events += scheduler.apply(try model.answer(try scheduler.packed())) }
        let lost = try scheduler.packed()
        #expect(scheduler.suspend(reason: failure) == [])
        #expect(scheduler.nextStep() == nil, "there is no ring to send to")

        model.forgetAll()
        let policy = try EngineFixtures.policy(EngineFixtures.oneShard, limits: limits)
        #expect(scheduler.resume(epoch: 2, policy: policy) == [])
        let replay = try scheduler.packed()
        #expect(replay.epoch == 2)
        #expect(replay.runs.map(\.tokens) == [Array(request.prompt[..<16])])
        #expect(replay.runs.first?.promptLogprobs == nil, "they were reported before")
        #expect(scheduler.apply(StepResult(epoch: 1, stepID: lost.stepID, runs: [])).count == 1)
        events += scheduler.apply(try model.answer(replay))
        let last = try scheduler.packed()
        #expect(last.runs.map(\.tokens.count) == [10])
        #expect(last.runs.map(\.promptCount) == [20])
        #expect(last.runs.first?.sampling != nil)
        events += scheduler.apply(try model.answer(last))
        while let step = scheduler.nextStep() { events += scheduler.apply(try model.answer(step)) }
        let expected = SimulatedModel.expectedEvents(of: request, contextTokensMax: 4096)
        #expect(events == expected.map { .event(sequence: id, $0) })
    }

    @Test func aRequestThatBreaksTheRingEachTimeEnds() throws {
        var scheduler = try scheduler()
        let id = try scheduler.admit(EngineFixtures.request(prompt: 5))
        for epoch in 2..<UInt64(2 + scheduler.limits.replaysMax) {
            #expect(scheduler.nextStep() != nil)
            #expect(scheduler.suspend(reason: failure) == [])
            #expect(scheduler.resume(epoch: epoch, policy: try EngineFixtures.policy(EngineFixtures.oneShard)) == [])
        }
        #expect(scheduler.nextStep() != nil)
        #expect(scheduler.suspend(reason: failure) == [.failed(sequence: id, failure)])
        #expect(scheduler.isIdle)
    }

    @Test func aSequenceThatWasNotOnTheRingIsNotBlamed() throws {
        var limits = SchedulerLimits()
        limits.rowsPerStepMax = 4
        var scheduler = try scheduler(limits: limits)
        let guilty = try scheduler.admit(EngineFixtures.request(prompt: 4))
        let bystander = try scheduler.admit(EngineFixtures.request(prompt: 4, salt: 1))
        #expect(scheduler.nextStep()?.runs.map(\.sequenceID) == [guilty])
        _ = scheduler.suspend(reason: failure)
        #expect(scheduler.active[guilty]?.replays == 1)
        #expect(scheduler.active[bystander]?.replays == 0)
    }

    @Test func aSmallerContextEndsWhatNoLongerFits() throws {
        var scheduler = try scheduler()
        let long = try scheduler.admit(EngineFixtures.request(prompt: 50))
        let short = try scheduler.admit(EngineFixtures.request(prompt: 5))
        _ = scheduler.suspend(reason: failure)
        var policy = try EngineFixtures.policy(EngineFixtures.oneShard)
        policy.contextTokensMax = 40
        let reason = "the ring came back with a context of 40 tokens, too few for this sequence"
        #expect(
            scheduler.resume(epoch: 2, policy: policy) == [.failed(sequence: long, GenerationFailure(reason: reason))])
        #expect(scheduler.nextStep()?.runs.map(\.sequenceID) == [short])
    }

    @Test func failingAllEndsThoseThatWaitToo() throws {
        var limits = SchedulerLimits()
        limits.sequencesActiveMax = 1
        var scheduler = try scheduler(limits: limits)
        let ids = try (0..<3).map { try scheduler.admit(EngineFixtures.request(prompt: 4, salt: $0)) }
        #expect(scheduler.failAll(failure) == ids.map { .failed(sequence: $0, failure) })
        #expect(scheduler.isIdle)
    }
}
