// Streams of tokens over a ring on other threads: what clients see, and what cancelling does.

import Logging
import ServiceLifecycle
import Synchronization
import Testing
import Wire

@testable import RingAPI

// The limit ends a test that waits for what never comes.
@Suite(.timeLimit(.minutes(2))) struct RingCoordinatorTests {
    private func coordinator(
        clock: any Clock<Duration> = ContinuousClock(), change: (inout RingConfiguration) -> Void = { _ in }
    ) -> RingCoordinator {
        var configuration = RingConfiguration(
            expectation: EngineFixtures.expectation, model: EngineFixtures.model, firstShard: "a:9000")
        change(&configuration)
        let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        return RingCoordinator(configuration, logger: logger, clock: clock)
    }

    private func collect(
        _ stream: AsyncThrowingStream<GenerationEvent, any Error>
    ) async throws -> [GenerationEvent] {
        var events: [GenerationEvent] = []
        for try await event in stream { events.append(event) }
        return events
    }

    // MARK: Streams

    @Test(arguments: EngineFixtures.rings.indices) func manyClientsGetTheirTokens(ring: Int) async throws {
        let coordinator = coordinator()
        let ring = InProcessRing(EngineFixtures.rings[ring])
        ring.join(coordinator)
        #expect(coordinator.status().state == .ready)
        try await withThrowingTaskGroup { tasks in
            for salt in 0..<UInt32(32) {
                tasks.addTask {
                    let request = EngineFixtures.request(
                        prompt: 1 + Int(salt) * 7, salt: salt, tokensMax: 12, promptLogprobs: salt % 2 == 0 ? 1 : nil)
                    let events = try await collect(try coordinator.generate(request))
                    #expect(events == SimulatedModel.expectedEvents(of: request, contextTokensMax: 4096))
                }
            }
            try await tasks.waitForAll()
        }
        ring.settle()
        let status = coordinator.status()
        #expect(ring.held.count == status.prefixesKept)
        #expect(status.active == 0 && status.waiting == 0)
        #expect(status.metrics.tokensGenerated == 32 * 12)
    }

    @Test func aStreamMayBeReadLate() async throws {
        let coordinator = coordinator()
        let ring = InProcessRing(EngineFixtures.twoShards)
        ring.join(coordinator)
        let request = EngineFixtures.request(prompt: 3)
        let stream = try coordinator.generate(request)
        ring.settle()
        #expect(coordinator.status().active == 0, "a slow reader does not hold up the ring")
        let events = try await collect(stream)
        #expect(events == SimulatedModel.expectedEvents(of: request, contextTokensMax: 4096))
    }

    @Test func aRefusalSaysWhyTheFirstShardCannotBeReached() {
        let coordinator = coordinator()
        let request = EngineFixtures.request(prompt: 3)
        let unknown = "the first shard, a:9000, is not connected yet; start it, or correct ring-api's -s"
        #expect(throws: GenerationRefusal.ringNotReady(unknown)) { _ = try coordinator.generate(request) }
        let ring = InProcessRing(EngineFixtures.twoShards)
        coordinator.connect(through: ring)
        ring.set(obstacle: "connection refused")
        let known = "the first shard cannot be reached: connection refused; start it, or correct ring-api's -s"
        #expect(throws: GenerationRefusal.ringNotReady(known)) { _ = try coordinator.generate(request) }
        #expect(coordinator.status().state == .incomplete(known))
    }

    @Test func aFailureEndsTheStreamWithItsReason() async throws {
        let coordinator = coordinator()
        let ring = InProcessRing(EngineFixtures.twoShards)
        ring.join(coordinator)
        ring.change { $0.shards[1].refuses = (1, .memory) }
        let stream = try coordinator.generate(EngineFixtures.request(prompt: 3))
        await #expect(throws: GenerationFailure(reason: "b refuses", shard: "b")) { try await collect(stream) }
        ring.settle()
        #expect(ring.held.isEmpty)
    }

    @Test func aStepThatCannotBeSentFailsItsSequences() async throws {
        let coordinator = coordinator()
        let ring = InProcessRing(EngineFixtures.oneShard)
        ring.join(coordinator)
        ring.refuseStepsAbove(rows: 10)
        let stream = try coordinator.generate(EngineFixtures.request(prompt: 11))
        await #expect(throws: GenerationFailure(reason: "the step is too large")) { try await collect(stream) }
        let small = EngineFixtures.request(prompt: 10)
        let events = try await collect(try coordinator.generate(small))
        #expect(events == SimulatedModel.expectedEvents(of: small, contextTokensMax: 4096))
    }

    // MARK: Hanging up

    @Test func aStreamThatIsDroppedStopsTheGeneration() async throws {
        let coordinator = coordinator()
        let ring = InProcessRing(EngineFixtures.twoShards)
        ring.join(coordinator)
        ring.pause()
        do { _ = try coordinator.generate(EngineFixtures.request(prompt: 300, tokensMax: 3000)) }
        #expect(coordinator.status().active == 0)
        #expect(ring.sent.contains { if case .forget(let forget) = $0 { forget.sequenceIDs == [1] } else { false } })
        ring.resume()
        ring.settle()
        #expect(ring.held.isEmpty)
    }

    @Test func leavingTheLoopStopsTheGeneration() async throws {
        let coordinator = coordinator()
        let ring = InProcessRing(EngineFixtures.twoShards)
        ring.join(coordinator)
        ring.pause(afterSteps: 5)
        var tokens = 0
        for try await event in try coordinator.generate(EngineFixtures.request(prompt: 3, tokensMax: 4000)) {
            if case .token = event { tokens += 1 }
            if tokens == 3 { break }
        }
        #expect(coordinator.status().active == 0)
        #expect(coordinator.status().metrics.sequencesCancelled == 1)
        ring.resume()
        ring.settle()
        #expect(ring.held.isEmpty)
    }

    @Test func aCancelledTaskStopsTheGeneration() async throws {
        let coordinator = coordinator()
        let ring = InProcessRing(EngineFixtures.twoShards)
        ring.join(coordinator)
        ring.pause()
        let stream = try coordinator.generate(EngineFixtures.request(prompt: 300, tokensMax: 3000))
        let task = Task { try await collect(stream) }
        task.cancel()
        _ = await task.result
        #expect(coordinator.status().active == 0)
        ring.resume()
        ring.settle()
        #expect(ring.held.isEmpty)
    }

    // MARK: A broken ring

    @Test func streamsGoOnWhenTheRingIsWholeAgain() async throws {
        let coordinator = coordinator()
        let ring = InProcessRing(EngineFixtures.twoShards)
        ring.join(coordinator)
        let request = EngineFixtures.request(prompt: 30, tokensMax: 50)
        ring.pause()
        let stream = try coordinator.generate(request)
        coordinator.outgoingLost(reason: "closed")
        ring.change { shards in
            for index in shards.shards.indices { shards.shards[index].restart() }
        }
        #expect(coordinator.status().active == 1)
        ring.resume()
        coordinator.outgoingConnected()
        let events = try await collect(stream)
        #expect(events == SimulatedModel.expectedEvents(of: request, contextTokensMax: 4096))
        #expect(coordinator.status().metrics.epochsOpened == 2)
    }

    // MARK: As a service

    @Test func timeBringsProbesAndGivesUpOnABrokenRing() async throws {
        let clock = ManualClock()
        let coordinator = coordinator(clock: clock)
        let ring = InProcessRing(EngineFixtures.twoShards)
        ring.join(coordinator)
        ring.pause()
        let stream = try coordinator.generate(EngineFixtures.request(prompt: 3))
        coordinator.outgoingLost(reason: "connection refused")
        let service = Task { try await coordinator.run() }
        for _ in 0..<4 {
            await clock.waitForSleepers()
            clock.advance(by: .seconds(10))
        }
        let reason = """
            the ring broke and was not whole again within 30 s: the first shard, a:9000, cannot be reached: \
            connection refused
            """
        await #expect(throws: GenerationFailure(reason: reason)) { try await collect(stream) }
        service.cancel()
        try await service.value
    }

    @Test func aShutdownLetsSequencesFinish() async throws {
        let clock = ManualClock()
        let coordinator = coordinator(clock: clock)
        let ring = InProcessRing(EngineFixtures.twoShards)
        ring.join(coordinator)
        ring.pause()
        let request = EngineFixtures.request(prompt: 3)
        let stream = try coordinator.generate(request)
        try await shutDown(coordinator, clock) {
            #expect(throws: GenerationRefusal.ringNotReady("this API is shutting down; ask again when it is back")) {
                _ = try coordinator.generate(request)
            }
            ring.resume()
        }
        let events = try await collect(stream)
        #expect(events == SimulatedModel.expectedEvents(of: request, contextTokensMax: 4096))
    }

    @Test func aShutdownEndsWhatDoesNotFinishInTime() async throws {
        let clock = ManualClock()
        let coordinator = coordinator(clock: clock)
        let ring = InProcessRing(EngineFixtures.twoShards)
        ring.join(coordinator)
        ring.pause()
        let stream = try coordinator.generate(EngineFixtures.request(prompt: 3))
        try await shutDown(coordinator, clock) { clock.advance(by: .seconds(30)) }
        await #expect(throws: GenerationFailure(reason: "this API is shutting down; ask again when it is back")) {
            try await collect(stream)
        }
        ring.resume()
        ring.settle()
        #expect(ring.held.isEmpty, "the shards are told to forget it")
    }

    /// Runs the coordinator as a service, shuts it down, and returns when it has ended.
    /// - Parameter body: called when the coordinator waits for its sequences to end.
    private func shutDown(_ coordinator: RingCoordinator, _ clock: ManualClock, _ body: () -> Void) async throws {
        let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        let group = ServiceGroup(services: [coordinator], logger: logger)
        async let running: Void = group.run()
        await clock.waitForSleepers()
        await group.triggerGracefulShutdown()
        // One keeps time, the other bounds the wait.
        await clock.waitForSleepers(2)
        body()
        try await running
    }
}
