// Guesses on the ring: what is sent, and what becomes of the answers.

import Testing
import Wire

@testable import RingAPI

@Suite struct SchedulerDraftTests {
    private func scheduler(
        _ mode: SpeculationMode = .on, _ shards: [ShardDescription] = EngineFixtures.oneShard,
        limits: SchedulerLimits = .init(), change: (inout PackingPolicy) -> Void = { _ in }
    ) throws -> Scheduler {
        var limits = limits
        limits.speculation = mode
        // What ends is forgotten.
        limits.prefixesMax = 0
        var scheduler = Scheduler(limits: limits)
        var policy = try EngineFixtures.policy(shards, limits: limits)
        change(&policy)
        _ = scheduler.resume(epoch: 1, policy: policy)
        return scheduler
    }

    /// A request whose answer repeats itself now and then.
    private func request(tokensMax: Int = 60, stopTokens: Set<UInt32> = []) -> GenerationRequest {
        EngineFixtures.request(prompt: 12, salt: 5, tokensMax: tokensMax, stopTokens: stopTokens)
    }

    private func events(
        _ scheduler: inout Scheduler, steps: inout [Step]
    ) throws -> [UInt64: [GenerationEvent]] {
        var model = SimulatedModel()
        var events: [UInt64: [GenerationEvent]] = [:]
        while let step = scheduler.nextStep() {
            steps.append(step)
            for case .event(let id, let event) in scheduler.apply(try model.answer(step)) {
                events[id, default: []].append(event)
            }
        }
        return events
    }

    @Test(arguments: SpeculationMode.allCases) func tokensAreTheSameInFewerSteps(mode: SpeculationMode) throws {
        var scheduler = try scheduler(mode)
        let id = try scheduler.admit(request())
        var steps: [Step] = []
        let got = try events(&scheduler, steps: &steps)[id]
        #expect(got == SimulatedModel.expectedEvents(of: request(), contextTokensMax: 4096))
        if mode == .off {
            #expect(steps.count == 60)
            #expect(steps.flatMap(\.runs).allSatisfy { $0.draftCount == 0 })
            #expect(scheduler.speculation.draftedCount == 0)
        } else {
            #expect(steps.count < 45)
            let drafted = steps.flatMap(\.runs).reduce(0) { $0 + $1.draftCount }
            #expect(scheduler.speculation.draftedCount == UInt64(drafted))
            #expect(scheduler.speculation.acceptedCount == UInt64(60 - steps.count))
        }
        #expect(scheduler.isIdle)
    }

    @Test func whatTheClientPredictsComesInFewStepsAndIsCounted() throws {
        let plain = request()
        let expected = SimulatedModel.expectedEvents(of: plain, contextTokensMax: 4096)
        let tokens = expected.compactMap { event -> UInt32? in
            if case .token(let choice) = event { choice.token } else { nil }
        }
        // The right answer but for one token.
        var prediction = tokens
        prediction[20] = 999
        var predicted = plain
        predicted.prediction = prediction
        var scheduler = try scheduler()
        let id = try scheduler.admit(predicted)
        var steps: [Step] = []
        let got = try events(&scheduler, steps: &steps)[id] ?? []
        #expect(got.filter { if case .predicted = $0 { false } else { true } } == expected)
        #expect(steps.count < 15)
        let counts = got.compactMap { event -> Int? in if case .predicted(let count) = event { count } else { nil } }
        #expect(counts == Array(1...counts.count), "one before each such token")
        #expect((50..<60).contains(counts.count))
        // It rides in no request that did not ask for guesses.
        predicted.mayDraft = false
        let silent = try scheduler.admit(predicted)
        steps = []
        #expect(try events(&scheduler, steps: &steps)[silent] == expected)
        #expect(steps.count == 60)
    }

    @Test func nothingIsGuessedPastTheEnd() throws {
        for (tokensMax, context) in [(30, 4096), (400, 50)] {
            var scheduler = try scheduler { $0.contextTokensMax = context }
            let id = try scheduler.admit(request(tokensMax: tokensMax))
            var steps: [Step] = []
            let got = try events(&scheduler, steps: &steps)[id]
            #expect(
                got == SimulatedModel.expectedEvents(of: request(tokensMax: tokensMax), contextTokensMax: context))
            let end = min(12 + tokensMax, context)
            for run in steps.flatMap(\.runs) {
                // The last row's token is the last there is room for at most.
                #expect(Int(run.position) + run.tokens.count < end)
            }
            #expect(
                steps.flatMap(\.runs).contains { Int($0.position) + $0.tokens.count == end - 1 && $0.draftCount > 0 })
        }
    }

    @Test func aStopTokenAmongTheDraftsEndsTheSequenceThere() throws {
        let whole = SimulatedModel.expectedEvents(of: request(), contextTokensMax: 4096)
        let tokens = whole.compactMap { event -> UInt32? in
            if case .token(let choice) = event { choice.token } else { nil }
        }
        // A token whose first occurrence is accepted in the midst of others.
        var tried = 0
        for stop in Set(tokens) {
            var scheduler = try scheduler()
            var model = SimulatedModel()
            let id = try scheduler.admit(request(stopTokens: [stop]))
            var got: [GenerationEvent] = []
            while let step = scheduler.nextStep() {
                let result = try model.answer(step)
                let sampled = result.runs[0].sampled.map(\.token)
                if let place = sampled.firstIndex(of: stop), place + 1 < sampled.count { tried += 1 }
                for case .event(id, let event) in scheduler.apply(result) { got.append(event) }
            }
            #expect(got == SimulatedModel.expectedEvents(of: request(stopTokens: [stop]), contextTokensMax: 4096))
            #expect(scheduler.isIdle && scheduler.takeForgotten() == [id])
        }
        #expect(tried > 0)
    }

    @Test func whatIsNotAcceptedIsSentAgainInItsPlace() throws {
        var scheduler = try scheduler()
        var model = SimulatedModel()
        _ = try scheduler.admit(request())
        var length = 12
        var rejected = 0
        while let step = scheduler.nextStep() {
            let run = step.runs[0]
            let result = try model.answer(step)
            #expect(Int(run.position) + run.settledTokens.count == length)
            length += result.runs[0].sampled.count
            rejected += run.draftCount + 1 - result.runs[0].sampled.count
            _ = scheduler.apply(result)
        }
        #expect(rejected > 0)
    }

    @Test func answersThatDoNotFitTheDraftsEndTheSequence() throws {
        let changes: [(change: (inout RunResult) -> Void, reason: String)] = [
            ({ $0.sampled.removeAll() }, "no answer for sequence 1"),
            ({ $0.sampled[0].token ^= 1 }, "tokens that do not continue the drafts of sequence 1"),
            (
                { $0.sampled += Array(repeating: TokenChoice(token: 1, logprob: 0), count: 40) },
                "tokens that do not continue the drafts of sequence 1"
            ),
            ({ $0.sampled[$0.sampled.count - 1].token = 1000 }, "token 1000, which the model does not have"),
            ({ $0.position += 1 }, "position"),
        ]
        for (change, reason) in changes {
            var scheduler = try scheduler()
            var model = SimulatedModel()
            let id = try scheduler.admit(request())
            while let step = scheduler.nextStep() {
                var result = try model.answer(step)
                guard result.runs[0].sampled.count > 1 else {
                    _ = scheduler.apply(result)
                    continue
                }
                change(&result.runs[0])
                guard case .failed(id, let failure)? = scheduler.apply(result).last else {
                    Issue.record("'\(reason)' was not noticed")
                    break
                }
                #expect(failure.reason.contains(reason))
                break
            }
            #expect(scheduler.isIdle)
        }
    }

    @Test func aRingLostWithDraftsOnItIsMadeUpFor() throws {
        var scheduler = try scheduler()
        var model = SimulatedModel()
        let id = try scheduler.admit(request())
        var got: [GenerationEvent] = []
        var losses = 0
        while let step = scheduler.nextStep() {
            if step.runs.contains(where: { $0.draftCount > 0 }), losses < 3 {
                losses += 1
                model.forgetAll()
                _ = scheduler.resume(
                    epoch: UInt64(losses + 1), policy: try EngineFixtures.policy(EngineFixtures.oneShard))
                let again = try scheduler.packed()
                #expect(again.runs[0].position == 0 && again.runs[0].draftCount == 0)
                for case .event(id, let event) in scheduler.apply(try model.answer(again)) { got.append(event) }
                continue
            }
            for case .event(id, let event) in scheduler.apply(try model.answer(step)) { got.append(event) }
        }
        #expect(losses == 3)
        #expect(got == SimulatedModel.expectedEvents(of: request(), contextTokensMax: 4096))
    }

    @Test func aStepThatFailedForAnotherIsSentAgainWithoutItsDrafts() throws {
        var scheduler = try scheduler()
        var model = SimulatedModel()
        let id = try scheduler.admit(request())
        let other = try scheduler.admit(EngineFixtures.request(prompt: 4, salt: 2, tokensMax: 60))
        var got: [GenerationEvent] = []
        while let step = scheduler.nextStep() {
            if step.runs.count == 2, step.runs.contains(where: { $0.draftCount > 2 }) {
                // Shards before the one that failed hold the drafts; they are cut when the run comes again.
                try model.apply(step)
                let failure = GenerationFailure(reason: "no room for the cache")
                _ = scheduler.fail(step: step.stepID, culprit: other, remedy: .end, failure)
                continue
            }
            for case .event(id, let event) in scheduler.apply(try model.answer(step)) { got.append(event) }
        }
        #expect(got == SimulatedModel.expectedEvents(of: request(), contextTokensMax: 4096))
        #expect(scheduler.active[other] == nil)
    }
}
