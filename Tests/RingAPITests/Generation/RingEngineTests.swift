// Sequences over a ring: their tokens, their ends, what the shards keep, and what a client reads when it goes wrong.

import Testing
import Wire

@testable import RingAPI

@Suite struct RingEngineTests {
    // MARK: Generating

    @Test(arguments: EngineFixtures.rings.indices) func everyRingGivesTheSameTokens(ring: Int) throws {
        var harness = EngineHarness.ready(EngineFixtures.rings[ring])
        let requests = (0..<5).map {
            EngineFixtures.request(prompt: 3 + Int($0) * 60, salt: $0, tokensMax: 6, promptLogprobs: 1)
        }
        let ids = try requests.map { try harness.admit($0) }
        harness.run()
        for (id, request) in zip(ids, requests) {
            #expect(harness.events[id] == SimulatedModel.expectedEvents(of: request, contextTokensMax: 4096))
        }
        #expect(harness.shards.held.count == harness.status.prefixesKept, "the other sequences that ended are dropped")
        #expect(harness.engine.isIdle)
    }

    @Test func aStepOfALaterRoundIsPassedOnUntouched() throws {
        var harness = EngineHarness.ready(EngineFixtures.twoRounds)
        _ = try harness.admit(EngineFixtures.request(prompt: 3))
        guard let first = harness.onRing.first, case .forward(var around) = harness.shards.handle(first),
            case .step(let step) = around.message
        else {
            Issue.record("no step came back for another round")
            return
        }
        #expect(step.nextLayer == 2 && step.hops == 2)
        around.payload = Array(0..<200)
        harness.dropFrames()
        harness.perform { $0.receive(around, on: EngineHarness.link, at: $1) }
        var onward = step
        onward.hops = 3
        #expect(harness.onRing == [Frame(.step(onward), payload: around.payload)])
    }

    @Test func aStepThatNobodyAppliesIsNotPassedOnForever() throws {
        var harness = EngineHarness.ready(EngineFixtures.twoRounds)
        let id = try harness.admit(EngineFixtures.request(prompt: 3))
        let epoch = harness.status.epoch
        guard case .step(var step)? = harness.onRing.first?.message else { return }
        harness.dropFrames()
        // It has been round as often as the topology needs, and still comes as a step.
        (step.nextLayer, step.hops) = (2, 5)
        harness.perform { $0.receive(Frame(.step(step), payload: [1]), on: EngineHarness.link, at: $1) }
        #expect(
            harness.reason
                == "step 1 passed 5 daemons and none of them applied layer 2; the ring has changed")
        harness.run()
        #expect(harness.status.epoch > epoch)
        #expect(
            harness.events[id]
                == SimulatedModel.expectedEvents(of: EngineFixtures.request(prompt: 3), contextTokensMax: 4096))
    }

    @Test func stepsOfOtherEpochsAreNotPassedOn() throws {
        var harness = EngineHarness.ready(EngineFixtures.twoRounds)
        _ = try harness.admit(EngineFixtures.request(prompt: 3))
        guard case .step(var step)? = harness.onRing.first?.message else { return }
        harness.dropFrames()
        step.epoch -= 1
        harness.perform { $0.receive(Frame(.step(step), payload: [1]), on: EngineHarness.link, at: $1) }
        step.epoch += 1
        step.stepID += 1
        harness.perform { $0.receive(Frame(.step(step), payload: [1]), on: EngineHarness.link, at: $1) }
        #expect(harness.onRing.isEmpty)
    }

    @Test func cancelledSequencesAreForgottenAtOnce() throws {
        var harness = EngineHarness.ready { $0.limits.prefixesMax = 0 }
        let id = try harness.admit(EngineFixtures.request(prompt: 300, tokensMax: 1000))
        harness.deliverOne()
        harness.perform { $0.cancel(id, at: $1) }
        let forgets = harness.sent.filter { if case .forget = $0 { true } else { false } }
        #expect(forgets == [.forget(Forget(epoch: harness.status.epoch, sequenceIDs: [id]))])
        harness.run()
        #expect(harness.shards.held.isEmpty)
        #expect(harness.status.active == 0)
        #expect(harness.status.metrics.sequencesCancelled == 1)
        harness.perform { $0.cancel(id, at: $1) }
        #expect(harness.status.metrics.sequencesCancelled == 1)
    }

    @Test func cancelledStepsDoNotGoAnotherRound() throws {
        var harness = EngineHarness.ready(EngineFixtures.twoRounds)
        let id = try harness.admit(EngineFixtures.request(prompt: 3))
        guard let first = harness.onRing.first, case .forward(let around) = harness.shards.handle(first) else { return }
        harness.dropFrames()
        harness.perform { $0.cancel(id, at: $1) }
        harness.perform { $0.receive(around, on: EngineHarness.link, at: $1) }
        #expect(harness.onRing == [Frame(.forget(Forget(epoch: harness.status.epoch, sequenceIDs: [id])))])
        harness.run()
        #expect(harness.shards.held.isEmpty)
    }

    // MARK: Refusals

    @Test func requestsAreRefusedWithTheReason() {
        var harness = EngineHarness([EngineFixtures.twoShards[0]]) {
            $0.limits.sequencesActiveMax = 1
            $0.limits.waitingMax = 0
        }
        harness.connect()
        harness.run()
        let good = EngineFixtures.request(prompt: 3)
        let missing = "layers 2–3 are held by no shard; start a ring-shard with -l 2-3"
        #expect(throws: GenerationRefusal.ringNotReady(missing)) { try harness.admit(good) }

        harness.shards = SimulatedShards(EngineFixtures.twoShards)
        harness.pass(.seconds(3))
        var empty = good
        empty.prompt = []
        #expect(throws: GenerationRefusal.invalidPrompt("the prompt is empty; give at least one token")) {
            try harness.admit(empty)
        }
        var unknown = good
        unknown.prompt = [1, 1000]
        #expect(
            throws: GenerationRefusal.invalidPrompt("the prompt holds token 1000, but the model knows tokens 0–999")
        ) { try harness.admit(unknown) }
        let long = EngineFixtures.request(prompt: 4000, tokensMax: 97)
        #expect(
            throws: GenerationRefusal.contextExceeded(promptTokens: 4000, tokensMax: 97, contextTokensMax: 4096)
        ) { try harness.admit(long) }
        #expect(throws: GenerationRefusal.invalidPrompt("at most 20 alternatives may be asked for each token")) {
            try harness.admit(EngineFixtures.request(prompt: 3, promptLogprobs: 21))
        }
        #expect(throws: GenerationRefusal.invalidPrompt("at most 64 tokens may be banned")) {
            try harness.admit(
                EngineFixtures.request(prompt: 3) { $0.bannedTokens = [UInt32](repeating: 1, count: 65) })
        }
        #expect(
            throws: GenerationRefusal.invalidPrompt(
                "the logit bias names token 5000, but the model knows tokens 0–999")
        ) {
            try harness.admit(EngineFixtures.request(prompt: 3) { $0.logitBias = [LogitBias(token: 5000, bias: 1)] })
        }
        #expect(throws: Never.self) { try harness.admit(good) }
        #expect(throws: GenerationRefusal.busy(waiting: 0)) { try harness.admit(good) }
    }

    @Test func aDrainingEngineFinishesAndTakesNothingNew() throws {
        var harness = EngineHarness.ready()
        let request = EngineFixtures.request(prompt: 3)
        let id = try harness.admit(request)
        harness.perform { engine, _ in engine.drain() }
        #expect(
            throws: GenerationRefusal.ringNotReady("this API is shutting down; ask again when it is back")
        ) { try harness.admit(request) }
        harness.run()
        #expect(harness.events[id] == SimulatedModel.expectedEvents(of: request, contextTokensMax: 4096))
        #expect(harness.engine.isIdle)
    }

    // MARK: Failed steps

    @Test func aFailureReachesItsSequenceAloneWithItsReason() throws {
        var harness = EngineHarness.ready()
        let requests = (0..<3).map { EngineFixtures.request(prompt: 5, salt: $0) }
        let ids = try requests.map { try harness.admit($0) }
        harness.shards.shards[1].refuses = (ids[1], .memory)
        harness.run()
        #expect(harness.failures == [ids[1]: GenerationFailure(reason: "b refuses", shard: "b")])
        for index in [0, 2] {
            let expected = SimulatedModel.expectedEvents(of: requests[index], contextTokensMax: 4096)
            #expect(harness.events[ids[index]] == expected)
        }
        #expect(harness.shards.held.isEmpty)
        #expect(harness.status.metrics.sequencesFailed == 1)
    }

    @Test(arguments: [FailureKind.gap, .checksum, .staleEpoch, .unheldLayer, .brokenRing, .loading])
    func failuresOfTheRingDoNotShow(kind: FailureKind) throws {
        var harness = EngineHarness.ready()
        let request = EngineFixtures.request(prompt: 100, tokensMax: 10)
        let id = try harness.admit(request)
        for _ in 0..<6 { harness.deliverOne() }
        harness.shards.shards[1].refuses = (id, kind)
        harness.pass(.seconds(5))
        #expect(harness.failures.isEmpty)
        #expect(harness.events[id] == SimulatedModel.expectedEvents(of: request, contextTokensMax: 4096))
    }

    @Test func failuresOfWhatIsOverAreIgnored() throws {
        var harness = EngineHarness.ready()
        let request = EngineFixtures.request(prompt: 10)
        let id = try harness.admit(request)
        let epoch = harness.status.epoch
        for failure in [
            Failure(kind: .compute, reason: "old", shard: "b", epoch: epoch - 1, stepID: 1),
            Failure(kind: .compute, reason: "unknown", shard: "b", epoch: epoch, stepID: 99),
            Failure(kind: .brokenRing, reason: "old", shard: "a", epoch: epoch - 1),
            Failure(kind: .brokenRing, reason: "unasked", shard: "a", probeID: 99),
            Failure(kind: .malformed, reason: "a connection of a stranger", shard: "a"),
        ] {
            harness.perform { $0.failed(failure, at: $1) }
        }
        #expect(harness.status.state == .ready)
        harness.run()
        #expect(harness.events[id] == SimulatedModel.expectedEvents(of: request, contextTokensMax: 4096))
    }

    @Test func aFrameThatNoLinkCanCarryEndsItsSequences() throws {
        var harness = EngineHarness.ready()
        let id = try harness.admit(EngineFixtures.request(prompt: 3))
        let frame = try #require(harness.onRing.first)
        harness.dropFrames()
        harness.perform { $0.unsent(frame, reason: "a step of 5,000 rows", isTooLarge: true, at: $1) }
        #expect(harness.reasons == [id: "a step of 5,000 rows"])
        #expect(harness.status.state == .ready)
    }

    // MARK: Lost rings

    @Test func aStreamSurvivesAShardThatIsRestarted() throws {
        var harness = EngineHarness.ready()
        let requests = (0..<3).map { EngineFixtures.request(prompt: 30, salt: $0, tokensMax: 20) }
        let ids = try requests.map { try harness.admit($0) }
        for _ in 0..<9 { harness.deliverOne() }
        harness.shards.shards[1].isDown = true
        harness.pass(.seconds(10))
        #expect(harness.failures.isEmpty)
        #expect(harness.status.active == 3)
        #expect(throws: GenerationRefusal.self) { try harness.admit(requests[0]) }
        harness.shards.shards[1].restart()
        harness.pass(.seconds(3))
        for (id, request) in zip(ids, requests) {
            #expect(harness.events[id] == SimulatedModel.expectedEvents(of: request, contextTokensMax: 4096))
        }
        #expect(harness.shards.held.count == harness.status.prefixesKept)
        #expect(harness.lines.contains { $0.hasSuffix("3 sequences wait for it to be whole again") })
    }

    @Test func aStepLostInsideTheRingIsFoundByProbes() throws {
        var harness = EngineHarness.ready()
        let request = EngineFixtures.request(prompt: 30, tokensMax: 20)
        let id = try harness.admit(request)
        harness.deliverOne()
        // The middle of the ring is restarted with the step in its queue; no link of the API notices.
        harness.shards.shards[1].swallows = true
        harness.deliverOne()
        harness.shards.shards[1].restart()
        harness.shards.shards[1].epoch = harness.status.epoch
        harness.pass(.seconds(10))
        #expect(harness.events[id] == SimulatedModel.expectedEvents(of: request, contextTokensMax: 4096))
        #expect(harness.lines.contains { $0.contains("was lost on the ring; a shard must have been restarted") })
    }

    @Test func aRingThatStaysBrokenFailsItsSequencesOnce() throws {
        var harness = EngineHarness.ready { $0.limits.sequencesActiveMax = 1 }
        let ids = try (0..<2).map { try harness.admit(EngineFixtures.request(prompt: 30, salt: $0)) }
        harness.shards.shards[1].isDown = true
        harness.pass(.seconds(29))
        #expect(harness.failures.isEmpty)
        harness.pass(.seconds(2))
        #expect(Set(harness.failures.keys) == Set(ids))
        let reason = """
            the ring broke and was not whole again within 30 s: a cannot pass on: b:9000 is not connected; \
            layers 2–3 were last held by b (b:9000), heard 30 s ago
            """
        #expect(Set(harness.reasons.values) == [reason])
        #expect(harness.failures[ids[0]]?.shard == "a")
        #expect(harness.engine.isIdle)
    }

    @Test func theApisOwnLinksMayBreakToo() throws {
        var harness = EngineHarness.ready()
        let request = EngineFixtures.request(prompt: 30, tokensMax: 20)
        let id = try harness.admit(request)
        for _ in 0..<3 { harness.deliverOne() }
        harness.perform { $0.inboundLost(EngineHarness.link, reason: "closed", at: $1) }
        harness.dropFrames()
        harness.perform { $0.inboundConnected(EngineHarness.link, at: $1) }
        for _ in 0..<7 { harness.deliverOne() }
        harness.dropFrames()
        harness.perform { $0.outgoingLost(reason: "closed", at: $1) }
        harness.pass(.seconds(2))
        harness.perform { $0.outgoingConnected(at: $1) }
        harness.run()
        #expect(harness.events[id] == SimulatedModel.expectedEvents(of: request, contextTokensMax: 4096))
        #expect(harness.status.metrics.epochsOpened == 3)
    }

    @Test func aShardThatHangsIsNotWaitedForForever() throws {
        var harness = EngineHarness.ready { $0.timing.recoveryTimeout = .seconds(1000) }
        let id = try harness.admit(EngineFixtures.request(prompt: 30))
        harness.shards.shards[1].swallows = true
        harness.run()
        harness.pass(.seconds(299), tick: .seconds(1))
        #expect(harness.failures.isEmpty)
        #expect(harness.lines.contains("step 1 has been on the ring for 10 s"))
        harness.pass(.seconds(1), tick: .seconds(1))
        #expect(harness.reasons == [id: "the ring gave no answer within 300 s; a shard hangs"])
        #expect(harness.status.state != .ready)
    }

    // MARK: Counters

    @Test func whatIsDoneIsCounted() throws {
        var harness = EngineHarness.ready(EngineFixtures.oneShard)
        let ids = try (0..<2).map { try harness.admit(EngineFixtures.request(prompt: 10, salt: $0, tokensMax: 3)) }
        _ = try harness.admit(EngineFixtures.request(prompt: 10, tokensMax: 0))
        _ = ids
        harness.run()
        let metrics = harness.status.metrics
        #expect(metrics.tokensGenerated == 6)
        #expect(metrics.promptTokensEvaluated == 30)
        #expect(metrics.sequencesFinished == 3)
        #expect(metrics.epochsOpened == 1)
        #expect(metrics.stepsCompleted >= 3)
        #expect(metrics.rowsCompleted == 34, "30 of prompts and two tokens of each sequence that generates")
        #expect(metrics.computeTotal <= metrics.roundTripTotal)
    }
}
