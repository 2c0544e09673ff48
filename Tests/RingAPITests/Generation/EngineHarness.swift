// An engine with simulated shards and a clock that moves only when told to.

import Cluster
import Logging
import Wire

@testable import RingAPI

/// Carries frames between an engine and shards, and keeps what the engine says.
struct EngineHarness {
    static let link: UInt64 = 77

    var engine: RingEngine
    var shards: SimulatedShards
    private(set) var now: Duration = .zero
    /// Frames on their way to the first shard.
    private(set) var onRing: [Frame] = []
    /// Every frame that was sent.
    private(set) var sent: [Message] = []
    private(set) var events: [UInt64: [GenerationEvent]] = [:]
    private(set) var failures: [UInt64: GenerationFailure] = [:]
    private(set) var lines: [String] = []

    init(
        _ descriptions: [ShardDescription] = EngineFixtures.twoShards, limits: SchedulerLimits = SchedulerLimits(),
        change: (inout RingConfiguration) -> Void = { _ in }
    ) {
        var configuration = RingConfiguration(
            expectation: EngineFixtures.expectation, model: EngineFixtures.model, firstShard: "a:9000", limits: limits)
        change(&configuration)
        engine = RingEngine(configuration, epochs: EpochCounter(wallClockMilliseconds: 1000))
        shards = SimulatedShards(descriptions)
    }

    /// A harness whose ring is complete.
    static func ready(
        _ descriptions: [ShardDescription] = EngineFixtures.twoShards, limits: SchedulerLimits = SchedulerLimits(),
        change: (inout RingConfiguration) -> Void = { _ in }
    ) -> EngineHarness {
        var harness = EngineHarness(descriptions, limits: limits, change: change)
        harness.connect()
        harness.run()
        return harness
    }

    var status: RingStatus { engine.status(at: now) }
    var reason: String? { if case .incomplete(let reason) = status.state { reason } else { nil } }
    /// Failures by reason.
    var reasons: [UInt64: String] { failures.mapValues(\.reason) }

    mutating func connect() {
        engine.inboundConnected(Self.link, at: now)
        engine.outgoingConnected(at: now)
        collect()
    }

    mutating func admit(_ request: GenerationRequest) throws(GenerationRefusal) -> UInt64 {
        defer { collect() }
        return try engine.admit(request, at: now)
    }

    /// Lets the first frame go round the ring.
    mutating func deliverOne() {
        guard !onRing.isEmpty else { return }
        let frame = onRing.removeFirst()
        switch shards.handle(frame) {
        case .forward(let frame): engine.receive(frame, on: Self.link, at: now)
        case .backward(let failure): engine.failed(failure, at: now)
        case .unreachable: engine.unsent(frame, reason: "connection refused", isTooLarge: false, at: now)
        case .lost: break
        }
        collect()
    }

    /// Lets frames go round until none is left.
    mutating func run() {
        while !onRing.isEmpty { deliverOne() }
    }

    /// Loses what is on its way.
    mutating func dropFrames() {
        onRing = []
    }

    /// Lets time pass in small ticks, with frames going round.
    mutating func pass(_ duration: Duration, tick: Duration = .milliseconds(100)) {
        let end = now + duration
        while now < end {
            now += tick
            engine.tick(at: now)
            collect()
            run()
        }
    }

    /// Makes a call and keeps what it says.
    mutating func perform<Result>(_ body: (inout RingEngine, Duration) -> Result) -> Result {
        defer { collect() }
        return body(&engine, now)
    }

    private mutating func collect() {
        for effect in engine.takeEffects() {
            switch effect {
            case .send(let frame):
                sent.append(frame.message)
                onRing.append(frame)
            case .deliver(let id, let event): events[id, default: []].append(event)
            case .fail(let id, let failure): failures[id] = failure
            case .log(let level, let line): if level > .debug { lines.append(line) }
            }
        }
    }
}
