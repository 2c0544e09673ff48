// The coordinator over real connections, with a simulated shard at the other end.

import Logging
import RingTransport
import Synchronization
import Testing
import Wire

@testable import RingAPI

/// All shards of a ring behind one port, as one daemon on loopback.
private final class LoopbackShards: Sendable {
    private struct State {
        var shards: SimulatedShards
        var outgoing: OutgoingLink?
        var inbound: InboundLinks?
        var listener: PortListener?
        /// Steps that are applied before further ones are lost.
        var stepsLeft: Int
    }

    private let state: Mutex<State>
    private let logger: Logger
    private let next: RingAddress

    init(_ descriptions: [ShardDescription], losingStepsAfter count: Int, next: RingAddress, logger: Logger) {
        state = Mutex(State(shards: SimulatedShards(descriptions), stepsLeft: count))
        self.next = next
        self.logger = logger
    }

    /// Starts the daemon on `address` and returns where it listens.
    func start(on address: RingAddress) throws -> RingAddress {
        let hello = Hello(softwareVersion: "1.0", name: "a", role: .shard)
        let outgoing = OutgoingLink(to: next, as: hello, logger: logger, onFailure: { _ in })
        let inbound = InboundLinks(as: hello, logger: logger) { [self] frame, link in take(frame, link) }
        let listener = try PortListener(on: address, logger: logger, onRing: { inbound.accept($0) })
        state.withLock { state in
            (state.outgoing, state.inbound, state.listener) = (outgoing, inbound, listener)
            for index in state.shards.shards.indices { state.shards.shards[index].restart() }
        }
        try listener.start()
        try outgoing.start()
        return listener.address
    }

    /// Dies and comes back with nothing.
    func restart(on address: RingAddress) throws {
        stop()
        state.withLock { $0.stepsLeft = .max }
        _ = try start(on: address)
    }

    func stop() {
        let (outgoing, inbound, listener) = state.withLock { ($0.outgoing, $0.inbound, $0.listener) }
        listener?.close()
        inbound?.close()
        outgoing?.close()
    }

    private func take(_ frame: Frame, _ link: InboundLink) {
        let (outcome, outgoing) = state.withLock { state -> (SimulatedShards.Outcome, OutgoingLink?) in
            if case .step = frame.message {
                guard state.stepsLeft > 0 else { return (.lost, nil) }
                state.stepsLeft -= 1
            }
            return (state.shards.handle(frame), state.outgoing)
        }
        do {
            switch outcome {
            case .forward(let frame): try outgoing?.send(frame)
            case .backward(let failure): try link.sendBackward(failure)
            case .unreachable, .lost: break
            }
        } catch {
            // Whatever it was, the API asks again.
            try? link.sendBackward(Failure(kind: .brokenRing, reason: "\(error)", shard: "a"))
        }
    }
}

// The limit ends a test that waits for what never comes.
@Suite(.timeLimit(.minutes(2))) struct RingLinksTests {
    @Test func streamsCrossRealConnectionsAndOutliveThem() async throws {
        let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        let anyPort = RingAddress(host: "127.0.0.1", port: 0)
        let api = LateLinks()
        let listener = try PortListener(on: anyPort, logger: logger, onRing: { api.accept($0) })
        let shards = LoopbackShards(
            EngineFixtures.twoRounds, losingStepsAfter: 60, next: listener.address, logger: logger)
        let first = try shards.start(on: anyPort)

        let coordinator = RingCoordinator(
            RingConfiguration(
                expectation: EngineFixtures.expectation, model: EngineFixtures.model, firstShard: "\(first)"),
            logger: logger)
        let links = RingLinks(
            coordinator, to: LinkTarget(first), as: Hello(softwareVersion: "1.0", name: "api", role: .api),
            logger: logger)
        api.set(links)
        try listener.start()
        try links.start()
        let time = Task { try await coordinator.run() }
        await coordinator.whenReady()
        #expect(coordinator.status().rounds == 2)

        let request = EngineFixtures.request(prompt: 200, tokensMax: 100)
        var events: [GenerationEvent] = []
        for try await event in try coordinator.generate(request) {
            events.append(event)
            if events.count == 10 { try shards.restart(on: first) }
        }
        #expect(coordinator.status().metrics.epochsOpened > 1)
        #expect(events == SimulatedModel.expectedEvents(of: request, contextTokensMax: 4096))

        time.cancel()
        try await time.value
        listener.close()
        links.close()
        shards.stop()
    }

    /// Connections may come before there are links to take them.
    private final class LateLinks: Sendable {
        private let links = Mutex<RingLinks?>(nil)

        func set(_ links: RingLinks) { self.links.withLock { $0 = links } }

        func accept(_ connection: AcceptedConnection) { links.withLock { $0 }?.accept(connection) }
    }
}
