// What rides in each step, and what becomes of each result.

import Testing
import Wire

@testable import RingAPI

@Suite struct SchedulerTests {
    private func scheduler(
        _ shards: [ShardDescription] = EngineFixtures.oneShard, limits: SchedulerLimits = .init(),
        change: (inout PackingPolicy) -> Void = { _ in }
    ) throws -> Scheduler {
        var scheduler = Scheduler(limits: limits)
        var policy = try EngineFixtures.policy(shards, limits: limits)
        change(&policy)
        #expect(scheduler.resume(epoch: 1, policy: policy) == [])
        return scheduler
    }

    /// The events of `sequence` when every step is answered until nothing is left to send.
    private func run(
        _ scheduler: inout Scheduler, _ model: inout SimulatedModel
    ) throws -> [UInt64: [GenerationEvent]] {
        var events: [UInt64: [GenerationEvent]] = [:]
        while let step = scheduler.nextStep() {
            for case .event(let id, let event) in scheduler.apply(try model.answer(step)) {
                events[id, default: []].append(event)
            }
        }
        return events
    }

    // MARK: One sequence

    @Test func aPromptThenATokenAtATime() throws {
        var scheduler = try scheduler()
        var model = SimulatedModel()
        let request = EngineFixtures.request(prompt: 5, tokensMax: 2)
        let id = try scheduler.admit(request)

        let prefill = try scheduler.packed()
        #expect(prefill.epoch == 1)
        #expect(prefill.runs.map(\.tokens) == [request.prompt])
        #expect(prefill.runs.map(\.position) == [0])
        #expect(prefill.runs.map(\.promptCount) == [5])
        #expect(prefill.runs.first?.sampling == request.sampling)
        #expect(scheduler.nextStep() == nil, "a token must come back before the next can be sent")

        let outputs = scheduler.apply(try model.answer(prefill))
        let expected = SimulatedModel.expectedEvents(of: request, contextTokensMax: 4096)
        #expect(outputs == expected[..<2].map { .event(sequence: id, $0) })
        guard case .token(let first) = expected[1] else { return }

        let decode = try scheduler.packed()
        #expect(decode.stepID > prefill.stepID)
        #expect(decode.runs.map(\.tokens) == [[first.token]])
        #expect(decode.runs.map(\.position) == [5])
        #expect(scheduler.apply(try model.answer(decode)) == expected[2...].map { .event(sequence: id, $0) })
        #expect(scheduler.isIdle)
        #expect(scheduler.takeForgotten() == [id])
        #expect(scheduler.takeForgotten() == [], "each sequence is named once")
    }

    @Test func everyEndIsReached() throws {
        let stop = try #require(
            SimulatedModel.expectedEvents(of: EngineFixtures.request(prompt: 3), contextTokensMax: 4096).compactMap {
                event -> UInt32? in if case .token(let choice) = event { choice.token } else { nil }
            }.dropFirst(3).first)
        for (request, context) in [
            (EngineFixtures.request(prompt: 3), 4096), (EngineFixtures.request(prompt: 3, stopTokens: [stop]), 4096),
            (EngineFixtures.request(prompt: 3, tokensMax: 0), 4096), (EngineFixtures.request(prompt: 3), 7),
            (EngineFixtures.request(prompt: 1, tokensMax: 1), 4096),
        ] {
            var scheduler = try scheduler { $0.contextTokensMax = context }
            var model = SimulatedModel()
            let id = try scheduler.admit(request)
            let events = try run(&scheduler, &model)
            #expect(events[id] == SimulatedModel.expectedEvents(of: request, contextTokensMax: context))
            #expect(scheduler.takeForgotten() == [id])
        }
    }

    @Test func aStopTokenIsNotPartOfTheText() throws {
        var scheduler = try scheduler()
        var model = SimulatedModel()
        let prompt = EngineFixtures.request(prompt: 3).prompt
        let first = SimulatedModel.token(after: prompt[...], seed: 0)
        let id = try scheduler.admit(EngineFixtures.request(prompt: 3, stopTokens: [first]))
        #expect(try run(&scheduler, &model)[id] == [.prompt(choices: []), .finished(.stopToken(first))])
    }

    @Test func chunksOfAPromptFollowEachOtherWithoutWaiting() throws {
        var limits = SchedulerLimits()
        limits.rowsPerStepMax = 32
        limits.stepsInFlight = 3
        var scheduler = try scheduler(limits: limits)
        let request = EngineFixtures.request(prompt: 80)
        _ = try scheduler.admit(request)
        let steps = (0..<3).compactMap { _ in scheduler.nextStep() }
        #expect(steps.flatMap(\.runs).map(\.position) == [0, 32, 64])
        #expect(steps.flatMap(\.runs).flatMap(\.tokens) == request.prompt)
        let wantsToken = steps.flatMap(\.runs).map { $0.sampling != nil }
        #expect(wantsToken == [false, false, true], "only the last chunk gives a token")
    }

    @Test func noMoreStepsThanAllowedAreOnTheRing() throws {
        var limits = SchedulerLimits()
        limits.rowsPerStepMax = 16
        var scheduler = try scheduler(EngineFixtures.twoShards, limits: limits)
        var model = SimulatedModel()
        _ = try scheduler.admit(EngineFixtures.request(prompt: 50, tokensMax: 100))
        _ = try scheduler.admit(EngineFixtures.request(prompt: 200, salt: 1))
        // Both shards work, and a step lies ready for whichever is done.
        var onRing = (0..<3).compactMap { _ in scheduler.nextStep() }
        #expect(onRing.count == 3)
        #expect(scheduler.nextStep() == nil)
        _ = scheduler.apply(try model.answer(onRing.removeFirst()))
        let last = try scheduler.packed()
        #expect(last.runs.map(\.tokens.count) == [2, 14], "the end of the first prompt, whose stream now begins")
        onRing.append(last)
        // From now on no step lies ready: it would come between the stream's tokens.
        _ = scheduler.apply(try model.answer(onRing.removeFirst()))
        #expect(scheduler.nextStep() == nil)
        _ = scheduler.apply(try model.answer(onRing.removeFirst()))
        #expect(scheduler.inFlight.count == 1)
        #expect(scheduler.nextStep() != nil)
        #expect(scheduler.nextStep() == nil)
    }

    // MARK: Log-probabilities of the prompt

    @Test func logProbabilitiesOfThePromptComeInOrderAndOnce() throws {
        var limits = SchedulerLimits()
        limits.rowsPerStepMax = 16
        limits.stepsInFlight = 2
        var scheduler = try scheduler(limits: limits)
        var model = SimulatedModel()
        let request = EngineFixtures.request(prompt: 33, tokensMax: 2, promptLogprobs: 2)
        let id = try scheduler.admit(request)
        var wanted: [UInt32?] = []
        var events: [GenerationEvent] = []
        while let step = scheduler.nextStep() {
            wanted += step.runs.filter { $0.promptLogprobs != nil }.map { $0.promptLogprobs?.nextToken }
            for case .event(id, let event) in scheduler.apply(try model.answer(step)) { events.append(event) }
        }
        // Each chunk is told the token that the next begins with; the last has none.
        #expect(wanted == [request.prompt[16], request.prompt[32], nil])
        #expect(events == SimulatedModel.expectedEvents(of: request, contextTokensMax: 4096))
        guard case .prompt(let choices, _)? = events.first else { return }
        #expect(choices.map(\.token) == Array(request.prompt.dropFirst()))
    }

    // MARK: Many sequences

    @Test func tokensGoBeforePrompts() throws {
        var scheduler = try scheduler()
        var model = SimulatedModel()
        let running = try scheduler.admit(EngineFixtures.request(prompt: 4))
        _ = scheduler.apply(try model.answer(try scheduler.packed()))
        let long = try scheduler.admit(EngineFixtures.request(prompt: 1000, salt: 1))
        let step = try scheduler.packed()
        #expect(step.runs.map(\.sequenceID) == [running, long])
        // Twice what a step of one row takes: the weights and the row.
        #expect(step.runs.map(\.tokens.count) == [1, 2 * (PackingPolicy.overheadRowsFromMemory + 1)])
    }

    @Test func streamsSpreadOverTheSteps() throws {
        var scheduler = try scheduler(EngineFixtures.twoShards)
        var model = SimulatedModel()
        for salt in 0..<UInt32(4) {
            _ = try scheduler.admit(EngineFixtures.request(prompt: 4, salt: salt, tokensMax: 100))
        }
        var onRing: [Step] = []
        for _ in 0..<40 {
            while let step = scheduler.nextStep() { onRing.append(step) }
            _ = scheduler.apply(try model.answer(onRing.removeFirst()))
        }
        while let step = scheduler.nextStep() { onRing.append(step) }
        #expect(onRing.map(\.runs.count) == [2, 2])
        #expect(Set(onRing.flatMap(\.runs).map(\.sequenceID)).count == 4)
    }

    @Test func tokensGoInTheOrderTheyBecameReady() throws {
        var limits = SchedulerLimits()
        limits.rowsPerStepMax = 2
        var scheduler = try scheduler(limits: limits)
        var model = SimulatedModel()
        let ids = try (0..<3).map { try scheduler.admit(EngineFixtures.request(prompt: 1, salt: $0, tokensMax: 100)) }
        for _ in 0..<2 { _ = scheduler.apply(try model.answer(try scheduler.packed())) }
        var order: [UInt64] = []
        for _ in 0..<6 {
            let step = try scheduler.packed()
            order += step.runs.map(\.sequenceID)
            _ = scheduler.apply(try model.answer(step))
        }
        let cycle = Array(order[..<3])
        #expect(Set(cycle) == Set(ids))
        #expect(order == cycle + cycle + cycle + cycle)
    }

    @Test func shortPromptsGoBeforeLongOnes() throws {
        var limits = SchedulerLimits()
        limits.rowsPerStepMax = 64
        var scheduler = try scheduler(limits: limits)
        var model = SimulatedModel()
        let first = try scheduler.admit(EngineFixtures.request(prompt: 150, tokensMax: 1))
        let second = try scheduler.admit(EngineFixtures.request(prompt: 150, salt: 1, tokensMax: 1))
        var onRing = [try scheduler.packed()]
        let short = try scheduler.admit(EngineFixtures.request(prompt: 10, salt: 2, tokensMax: 1))
        var turns: [[UInt64]] = []
        while !onRing.isEmpty {
            let step = onRing.removeFirst()
            turns.append(step.runs.map(\.sequenceID))
            _ = scheduler.apply(try model.answer(step))
            while let next = scheduler.nextStep() { onRing.append(next) }
        }
        // Once a prompt is about to end, a stream is about to begin, beside which chunks are smaller.
        var order: [UInt64] = []
        for id in turns.joined() where !order.contains(id) { order.append(id) }
        #expect(turns.first == [first])
        #expect(turns.dropFirst().first?.first == short)
        #expect(order == [first, short, second])
        #expect(
            try #require(turns.lastIndex { $0.contains(first) }) <= #require(turns.firstIndex { $0.contains(second) }))
    }

    @Test func sequencesWaitInOrderAndNoMoreThanAllowed() throws {
        var limits = SchedulerLimits()
        limits.sequencesActiveMax = 2
        limits.waitingMax = 2
        var scheduler = try scheduler(limits: limits)
        var model = SimulatedModel()
        let ids = try (0..<4).map { try scheduler.admit(EngineFixtures.request(prompt: 4, salt: $0, tokensMax: 1)) }
        #expect(scheduler.active.keys.sorted() == Array(ids[..<2]))
        #expect(scheduler.waiting.map(\.id) == Array(ids[2...]))
        #expect(throws: GenerationRefusal.busy(waiting: 2)) { try scheduler.admit(EngineFixtures.request(prompt: 4)) }

        let step = try scheduler.packed()
        #expect(step.runs.map(\.sequenceID) == Array(ids[..<2]))
        _ = scheduler.apply(try model.answer(step))
        #expect(scheduler.nextStep()?.runs.map(\.sequenceID) == Array(ids[2...]))
        #expect(scheduler.waiting.isEmpty)
    }

    @Test func largeSamplingDoesNotOverfillAFrame() throws {
        var limits = SchedulerLimits()
        limits.sequencesActiveMax = 200
        var scheduler = try scheduler(limits: limits)
        for salt in 0..<UInt32(200) {
            _ = try scheduler.admit(
                EngineFixtures.request(prompt: 1, salt: salt) { sampling in
                    sampling.logitBias = (0..<UInt32(WireLimits.logitBiasMax)).map {
                        LogitBias(token: $0 % 1000, bias: 1)
                    }
                })
        }
        let step = try scheduler.packed()
        #expect(step.runs.count > 10)
        // 16 bytes an entry at most: tag, length, token and value with their own tags.
        #expect(step.runs.count * WireLimits.logitBiasMax * 16 < PackingPolicy.headerBytesMax)
    }

    // MARK: Removal

    @Test func aRemovedSequenceIsForgottenAtOnceAndAgainBehindItsSteps() throws {
        var scheduler = try scheduler()
        var model = SimulatedModel()
        let id = try scheduler.admit(EngineFixtures.request(prompt: 4))
        let step = try scheduler.packed()
        scheduler.remove(id)
        #expect(scheduler.takeForgotten() == [id])
        #expect(scheduler.apply(try model.answer(step)) == [], "nobody listens any more")
        #expect(scheduler.takeForgotten() == [id])
        #expect(scheduler.isIdle && scheduler.inFlight.isEmpty)
    }

    @Test func inSeveralRoundsAForgetWaitsForTheStep() throws {
        var scheduler = try scheduler(EngineFixtures.twoRounds)
        var model = SimulatedModel()
        let id = try scheduler.admit(EngineFixtures.request(prompt: 4))
        let step = try scheduler.packed()
        #expect(scheduler.dropUnwanted(step: step.stepID) == false)
        scheduler.remove(id)
        #expect(scheduler.takeForgotten() == [])
        #expect(scheduler.dropUnwanted(step: step.stepID) == true, "the API need not pass it on for another round")
        #expect(scheduler.takeForgotten() == [id])
        #expect(scheduler.apply(try model.answer(step)) == [.ignored("a result of step 1, which is not on the ring")])
    }

    @Test func aWaitingSequenceIsRemovedWithoutAWord() throws {
        var limits = SchedulerLimits()
        limits.sequencesActiveMax = 1
        var scheduler = try scheduler(limits: limits)
        let first = try scheduler.admit(EngineFixtures.request(prompt: 4))
        let second = try scheduler.admit(EngineFixtures.request(prompt: 4))
        scheduler.remove(second)
        #expect(scheduler.takeForgotten() == [])
        #expect(scheduler.waiting.isEmpty)
        scheduler.remove(first)
        #expect(scheduler.takeForgotten() == [first], "a Forget of what was never sent does no harm")
    }

    // MARK: Answers that mean nothing

    @Test func staleAndDoubledResultsAreIgnored() throws {
        var scheduler = try scheduler()
        var model = SimulatedModel()
        let id = try scheduler.admit(EngineFixtures.request(prompt: 4))
        let step = try scheduler.packed()
        let result = try model.answer(step)
        var stale = result
        stale.epoch = 0
        #expect(scheduler.apply(stale) == [.ignored("a result of epoch 0, which is over")])
        #expect(scheduler.apply(result).count == 2)
        #expect(scheduler.apply(result) == [.ignored("a result of step 1, which is not on the ring")])
        #expect(scheduler.active[id]?.log.count == 5)
    }

    static let mismatches: [(change: @Sendable (inout StepResult) -> Void, reason: String)] = [
        ({ $0.runs = [] }, "no answer for sequence 1"),
        ({ $0.runs[0].sequenceID = 9 }, "no answer for sequence 1"),
        ({ $0.runs[0].sampled = [] }, "no answer for sequence 1"),
        ({ $0.runs[0].position = 3 }, "position 3 instead of 4"),
        ({ $0.runs[0].sampled[0].token = 1000 }, "token 1000, which the model does not have"),
        ({ $0.runs[0].prompt = [TokenChoice(token: 0, logprob: 0)] }, "1 log-probabilities instead of 0"),
        ({ $0.runs.append($0.runs[0]) }, "an answer nobody asked for, sequence 1"),
    ]

    @Test(arguments: mismatches.indices) func aResultThatDoesNotFitItsStepEndsTheSequence(index: Int) throws {
        var scheduler = try scheduler()
        var model = SimulatedModel()
        let id = try scheduler.admit(EngineFixtures.request(prompt: 4))
        var result = try model.answer(try scheduler.packed())
        Self.mismatches[index].change(&result)
        let reason = "the shard with the last layer answered step 1 with " + Self.mismatches[index].reason
        #expect(scheduler.apply(result) == [.failed(sequence: id, GenerationFailure(reason: reason))])
        #expect(scheduler.isIdle)
    }

    @Test func aChunkThatWantsNothingNeedsNoAnswer() throws {
        var limits = SchedulerLimits()
        limits.rowsPerStepMax = 16
        var scheduler = try scheduler(limits: limits)
        _ = try scheduler.admit(EngineFixtures.request(prompt: 20))
        let step = try scheduler.packed()
        #expect(scheduler.apply(StepResult(epoch: 1, stepID: step.stepID, runs: [])) == [])
        #expect(scheduler.nextStep()?.runs.first?.position == 16)
    }
}
