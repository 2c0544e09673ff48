// Sequences that go on from another's cache: what they send, what they answer, and what happens when it is lost.

import Testing
import Wire

@testable import RingAPI

@Suite struct PrefixReuseTests {
    private struct Bench {
        var scheduler: Scheduler
        var model = SimulatedModel()
        var events: [UInt64: [GenerationEvent]] = [:]

        init(
            _ shards: [ShardDescription] = EngineFixtures.oneShard, change: (inout SchedulerLimits) -> Void = { _ in },
            policy adjust: (inout PackingPolicy) -> Void = { _ in }
        ) throws {
            var limits = SchedulerLimits()
            change(&limits)
            scheduler = Scheduler(limits: limits)
            var policy = try EngineFixtures.policy(shards, limits: limits)
            adjust(&policy)
            _ = scheduler.resume(epoch: 1, policy: policy)
        }

        mutating func forget() {
            model.forget(scheduler.takeForgotten())
        }

        /// The next step, after what must be forgotten before it.
        mutating func packed() throws -> Step {
            let step = scheduler.nextStep()
            forget()
            guard let step else { throw NothingToSend() }
            return step
        }

        mutating func answer(_ step: Step) throws {
            take(scheduler.apply(try model.answer(step)))
        }

        mutating func take(_ outputs: [SchedulerOutput]) {
            for case .event(let id, let event) in outputs { events[id, default: []].append(event) }
        }

        /// Answers until nothing is left to send; the steps that went.
        @discardableResult mutating func run() throws -> [Step] {
            var steps: [Step] = []
            while let step = try? packed() {
                steps.append(step)
                try answer(step)
            }
            return steps
        }

        /// The tokens that a request would be answered with by itself.
        func answers(_ id: UInt64, _ request: GenerationRequest) -> Bool {
            events[id]?.map(\.plain) == SimulatedModel.expectedEvents(of: request, contextTokensMax: 4096)
        }

        func cachedTokens(_ id: UInt64) -> Int? {
            if case .prompt(_, let cachedTokens)? = events[id]?.first { cachedTokens } else { nil }
        }

        /// What the client has said and heard so far.
        func conversation(_ id: UInt64, _ request: GenerationRequest) -> [UInt32] {
            request.prompt
                + (events[id] ?? []).compactMap { if case .token(let choice) = $0 { choice.token } else { nil } }
        }
    }

    private func request(_ prompt: [UInt32], tokensMax: Int = 8) -> GenerationRequest {
        var request = EngineFixtures.request(prompt: 1, tokensMax: tokensMax)
        request.prompt = prompt
        return request
    }

    /// What counts for a turn are the rows that are to be computed, not those that are there.
    @Test func aLongConversationsNextTurnGoesBeforeAShorterNewPrompt() throws {
        var bench = try Bench(change: { $0.rowsPerStepMax = 64 })
        let first = EngineFixtures.request(prompt: 600, tokensMax: 4)
        let firstID = try bench.scheduler.admit(first)
        try bench.run()
        let other = try bench.scheduler.admit(EngineFixtures.request(prompt: 300, salt: 1, tokensMax: 1))
        let turn = request(bench.conversation(firstID, first) + [3, 1, 4], tokensMax: 1)
        let turnID = try bench.scheduler.admit(turn)
        let step = try bench.packed()
        #expect(step.runs.map(\.sequenceID) == [turnID, other])
        #expect(step.runs.map(\.tokens.count) == [4, 60])
    }

    @Test func aTurnWhoseBeginningWasGivenUpGoesBehindShorterPrompts() throws {
        var bench = try Bench(change: { ($0.rowsPerStepMax, $0.prefixesMax) = (64, 1) })
        let first = EngineFixtures.request(prompt: 600, tokensMax: 4)
        let firstID = try bench.scheduler.admit(first)
        try bench.run()
        _ = try bench.scheduler.admit(EngineFixtures.request(prompt: 40, salt: 1, tokensMax: 1))
        let onRing = try bench.packed()
        let turn = request(bench.conversation(firstID, first) + [3, 1, 4], tokensMax: 1)
        let turnID = try bench.scheduler.admit(turn)
        let other = try bench.scheduler.admit(EngineFixtures.request(prompt: 300, salt: 2, tokensMax: 1))
        // What ends takes the only place.
        try bench.answer(onRing)
        let step = try bench.packed()
        #expect(step.runs.map(\.sequenceID) == [other])
        try bench.answer(step)
        try bench.run()
        #expect(bench.cachedTokens(turnID) == 0 && bench.answers(turnID, turn))
    }

    @Test func theNextTurnSendsOnlyWhatIsNew() throws {
        var bench = try Bench()
        let first = EngineFixtures.request(prompt: 100)
        let id = try bench.scheduler.admit(first)
        try bench.run()
        #expect(bench.cachedTokens(id) == 0)

        let next = request(bench.conversation(id, first) + [5, 6, 7])
        let nextID = try bench.scheduler.admit(next)
        let steps = try bench.run()
        let run = try #require(steps.first?.runs.first)
        // All but the last token of the answer, which was never sent, and what the client has added.
        #expect(run.position == 107 && run.tokens.count == 4 && run.parentID == id)
        #expect(steps.dropFirst().flatMap(\.runs).allSatisfy { $0.parentID == nil })
        #expect(bench.cachedTokens(nextID) == 107)
        #expect(bench.answers(nextID, next))
        #expect(bench.scheduler.promptTokensReused == 107 && bench.scheduler.prefixHits == 1)
        #expect(bench.scheduler.promptTokensEvaluated == 104)
        // The conversation is kept once, as it is now.
        bench.forget()
        #expect(Set(bench.model.caches.keys) == [nextID])
    }

    @Test func theLastTokenOfAPromptIsAlwaysComputed() throws {
        var bench = try Bench()
        let first = EngineFixtures.request(prompt: 40)
        _ = try bench.scheduler.admit(first)
        try bench.run()
        let again = try bench.scheduler.admit(first)
        let steps = try bench.run()
        #expect(steps.first?.runs.map(\.position) == [39])
        #expect(bench.cachedTokens(again) == 39)
        #expect(bench.answers(again, first))
    }

    @Test func nothingIsReusedWhereItIsOffOrRowsMustAnswer() throws {
        for isOff in [true, false] {
            var bench = try Bench { if isOff { $0.prefixesMax = 0 } }
            _ = try bench.scheduler.admit(EngineFixtures.request(prompt: 40))
            try bench.run()
            var again = EngineFixtures.request(prompt: 40)
            if !isOff { again.promptLogprobs = 2 }
            let id = try bench.scheduler.admit(again)
            #expect(try bench.run().first?.runs.map(\.position) == [0])
            #expect(bench.cachedTokens(id) == 0 && bench.answers(id, again))
        }
    }

    @Test func aSequenceThatRunsIsSharedToo() throws {
        var bench = try Bench()
        let first = EngineFixtures.request(prompt: 100, tokensMax: 30)
        let id = try bench.scheduler.admit(first)
        for _ in 0..<4 { try bench.answer(try bench.packed()) }
        let second = request(first.prompt + [1, 2, 3])
        let secondID = try bench.scheduler.admit(second)
        let step = try bench.packed()
        #expect(step.runs.map(\.parentID) == [nil, id])
        #expect(step.runs.map(\.position) == [103, 100])
        try bench.answer(step)
        try bench.run()
        #expect(bench.answers(id, first) && bench.answers(secondID, second))
    }

    @Test func requestsThatArriveTogetherReadTheirCommonBeginningOnce() throws {
        var bench = try Bench { $0.rowsPerStepMax = 64 }
        let common = EngineFixtures.request(prompt: 300).prompt
        let requests = (0..<20).map { request(common + [UInt32(900 + $0), 3, 4]) }
        let ids = try requests.map { try bench.scheduler.admit($0) }
        let steps = try bench.run()
        for (id, request) in zip(ids, requests) { #expect(bench.answers(id, request)) }
        let promptRows = steps.flatMap(\.runs).reduce(0) { $0 + ($1.tokens.count > 1 ? $1.tokens.count : 0) }
        #expect(promptRows <= 303 + 19 * 3)
        #expect(bench.scheduler.prefixHits == 19)
        #expect(ids.dropFirst().allSatisfy { bench.cachedTokens($0) == 300 })
    }

    @Test func aRequestDoesNotWaitForOneThatSharesLittle() throws {
        var bench = try Bench { $0.rowsPerStepMax = 64 }
        let first = EngineFixtures.request(prompt: 30)
        let second = request(first.prompt.prefix(10) + [999] + first.prompt)
        _ = try bench.scheduler.admit(first)
        _ = try bench.scheduler.admit(second)
        #expect(try bench.packed().runs.count == 2)
    }

    // MARK: What is lost

    @Test(arguments: [false, true]) func aParentThatAShardDoesNotHaveCostsNothingButTime(isGone: Bool) throws {
        var bench = try Bench()
        _ = try bench.scheduler.admit(EngineFixtures.request(prompt: 100))
        try bench.run()
        let next = EngineFixtures.request(prompt: 120)
        // Not even a replay counts against it.
        let id = try bench.scheduler.admit(next)
        let step = try bench.packed()
        #expect(step.runs.map(\.parentID) == [1])
        if isGone { bench.model.forgetAll() }
        do throws(Failure) {
            bench.take(bench.scheduler.apply(try bench.model.answer(step)))
            #expect(!isGone)
        } catch {
            #expect(error.kind == .gap)
            let failure = GenerationFailure(reason: error.reason)
            let outputs = bench.scheduler.fail(
                step: step.stepID, culprit: error.sequenceID, remedy: .sendAgain, failure)
            #expect(outputs == [])
            #expect(bench.scheduler.active[id]?.replays == 0)
            #expect(bench.scheduler.active[id]?.mayShare == false)
        }
        try bench.run()
        #expect(bench.answers(id, next))
        #expect(bench.cachedTokens(id) == (isGone ? 0 : 100))
    }

    @Test func aParentGivenUpIsForgottenBehindTheStepThatNeedsIt() throws {
        for (shards, isOneRound) in [(EngineFixtures.twoShards, true), (EngineFixtures.twoRounds, false)] {
            var bench = try Bench(shards) { $0.prefixesMax = 1 }
            let parent = try bench.scheduler.admit(EngineFixtures.request(prompt: 100))
            try bench.run()
            let other = try bench.scheduler.admit(EngineFixtures.request(prompt: 16, salt: 500, tokensMax: 1))
            let otherStep = try bench.packed()
            let child = try bench.scheduler.admit(EngineFixtures.request(prompt: 130))
            let childStep = try bench.packed()
            #expect(childStep.runs.map(\.parentID) == [parent])
            // The other ends and takes the only place.
            try bench.answer(otherStep)
            #expect(bench.scheduler.prefixes.kept.prefixes.map(\.sequenceID) == [other])
            #expect(bench.scheduler.takeForgotten() == (isOneRound ? [parent] : []))
            try bench.answer(childStep)
            if !isOneRound { #expect(bench.scheduler.takeForgotten() == [parent]) }
            bench.model.forget([parent])
            try bench.run()
            #expect(bench.answers(child, EngineFixtures.request(prompt: 130)))
            bench.forget()
            #expect(Set(bench.model.caches.keys) == [child])
        }
    }

    @Test func aLostRingEmptiesWhatIsKept() throws {
        var bench = try Bench()
        _ = try bench.scheduler.admit(EngineFixtures.request(prompt: 100))
        try bench.run()
        let next = EngineFixtures.request(prompt: 120)
        _ = try bench.scheduler.admit(next)
        _ = try bench.packed()
        _ = bench.scheduler.suspend(reason: GenerationFailure(reason: "the ring broke"))
        bench.model.forgetAll()
        #expect(bench.scheduler.prefixes.kept.count == 0 && bench.scheduler.prefixes.tokensHeld == 0)
        _ = bench.scheduler.resume(epoch: 2, policy: try EngineFixtures.policy(EngineFixtures.oneShard))
        let step = try bench.packed()
        #expect(step.runs.map(\.position) == [0] && step.runs.map(\.parentID) == [nil])
    }

    @Test func aCancelledAnswerIsGoneOnFrom() throws {
        var bench = try Bench()
        let first = EngineFixtures.request(prompt: 100, tokensMax: 50)
        let id = try bench.scheduler.admit(first)
        for _ in 0..<10 { try bench.answer(try bench.packed()) }
        let onRing = try bench.packed()
        bench.scheduler.remove(id)
        try bench.answer(onRing)
        let next = request(bench.conversation(id, first) + [1])
        let nextID = try bench.scheduler.admit(next)
        try bench.run()
        #expect(bench.cachedTokens(nextID) == 109)
        #expect(bench.answers(nextID, next))
    }

    /// What a cancelled sequence took over may not have reached every shard yet.
    @Test func aSequenceCancelledBeforeItsFirstResultIsNotKept() throws {
        var bench = try Bench()
        let parent = try bench.scheduler.admit(EngineFixtures.request(prompt: 100))
        try bench.run()
        let child = try bench.scheduler.admit(EngineFixtures.request(prompt: 130))
        _ = try bench.packed()
        bench.scheduler.remove(child)
        #expect(bench.scheduler.prefixes.kept.prefixes.map(\.sequenceID) == [parent])
    }

    // MARK: Room

    @Test func whatIsKeptMakesRoomBeforeAStepThatNeedsIt() throws {
        var bench = try Bench(policy: { $0.cacheTokensMax = 640 })
        for salt: UInt32 in 0..<3 {
            _ = try bench.scheduler.admit(EngineFixtures.request(prompt: 150, salt: salt))
            try bench.run()
        }
        #expect(bench.scheduler.prefixes.kept.prefixes.map(\.sequenceID) == [1, 2, 3])
        #expect(bench.scheduler.prefixes.tokensHeld == 3 * 192)
        _ = try bench.scheduler.admit(EngineFixtures.request(prompt: 150, salt: 3))
        #expect(bench.scheduler.nextStep() != nil)
        #expect(bench.scheduler.takeForgotten() == [1])
    }

    @Test func whatAStepGoesOnFromIsNotGivenUpForIt() throws {
        var bench = try Bench(policy: { $0.cacheTokensMax = 192 })
        let first = EngineFixtures.request(prompt: 150)
        _ = try bench.scheduler.admit(first)
        try bench.run()
        let next = request(first.prompt + [1, 2, 3])
        let id = try bench.scheduler.admit(next)
        #expect(try bench.packed().runs.map(\.parentID) == [1])
        #expect(bench.scheduler.prefixes.tokensHeld == 256, "a block is copied")
        #expect(bench.scheduler.prefixes.kept.contains(1))
        #expect(bench.scheduler.active[id]?.reusedCount == 150)
    }

    @Test func aShardWithoutMemoryMakesWhatIsKeptGo() throws {
        var bench = try Bench()
        for salt: UInt32 in 0..<3 {
            _ = try bench.scheduler.admit(EngineFixtures.request(prompt: 50, salt: salt))
            try bench.run()
        }
        let request = EngineFixtures.request(prompt: 150, salt: 3)
        let id = try bench.scheduler.admit(request)
        let full = GenerationFailure(reason: "no room for the cache")
        for forgotten: [UInt64] in [[1, 2], [3]] {
            let step = try bench.packed()
            #expect(bench.scheduler.fail(step: step.stepID, culprit: nil, remedy: .makeRoom, full) == [])
            #expect(bench.scheduler.takeForgotten() == forgotten)
        }
        #expect(bench.scheduler.active[id]?.replays == 0)
        let last = try bench.packed()
        #expect(
            bench.scheduler.fail(step: last.stepID, culprit: nil, remedy: .makeRoom, full)
                == [.failed(sequence: id, full)])
    }
}
