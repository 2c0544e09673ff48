// Requests, shards and rings for the tests of the engine.

import Cluster
import Wire

@testable import RingAPI

enum EngineFixtures {
    static let fingerprint = [UInt8](repeating: 7, count: WireLimits.fingerprintBytes)
    static let model = ModelShape(
        hiddenSize: 64, vocabularySize: Int(SimulatedModel.vocabularySize), contextTokensMax: 4096)
    static let expectation = RingTopology.Expectation(
        modelFingerprint: fingerprint, layerCount: 4, softwareVersion: "1.0", ringAddress: "api:8080")

    static func shard(_ name: String, _ layers: [ClosedRange<UInt32>]) -> ShardDescription {
        var shard = ShardDescription()
        shard.name = name
        shard.softwareVersion = "1.0"
        shard.address = "\(name):9000"
        shard.modelFingerprint = fingerprint
        shard.layerCount = 4
        shard.layers = layers
        shard.contextTokensMax = 4096
        shard.cacheBytesMax = 1 << 20
        shard.cacheBytesPerToken = 16
        return shard
    }

    /// One round over two shards.
    static let twoShards = [shard("a", [0...1]), shard("b", [2...3])]
    /// Two rounds over two shards.
    static let twoRounds = [shard("a", [0...0, 2...2]), shard("b", [1...1, 3...3])]
    static let oneShard = [shard("a", [0...3])]
    static let fourShards = (0..<4).map { shard("s\($0)", [$0...$0]) }
    static let rings = [oneShard, twoShards, twoRounds, fourShards]

    static func policy(
        _ shards: [ShardDescription], limits: SchedulerLimits = .init(), model: ModelShape = model
    ) throws -> PackingPolicy {
        PackingPolicy(
            topology: try RingTopology(shards: shards, expecting: expectation), model: model, activations: .bf16,
            limits: limits)
    }

    static func request(
        prompt count: Int, salt: UInt32 = 0, tokensMax: Int = 8, stopTokens: Set<UInt32> = [],
        promptLogprobs: Int? = nil, change: (inout Sampling) -> Void = { _ in }
    ) -> GenerationRequest {
        var sampling = Sampling()
        sampling.seed = UInt64(salt)
        change(&sampling)
        return GenerationRequest(
            requestID: "r\(salt)",
            prompt: (0..<UInt32(count)).map { ($0 &* 31 &+ salt) % SimulatedModel.vocabularySize },
            sampling: sampling, tokensMax: tokensMax, stopTokens: stopTokens, promptLogprobs: promptLogprobs)
    }
}

struct NothingToSend: Error {}

extension StepCost {
    /// Notes a step without context.
    mutating func observe(rows: Int, nanoseconds: UInt64) {
        observe(StepSize(rows: rows), nanoseconds: nanoseconds)
        fit()
    }

    func nanoseconds(rows: Int) -> Double { nanoseconds(StepSize(rows: rows)) }
}

extension Step {
    var size: StepSize {
        runs.reduce(into: StepSize()) { $0.add(rows: $1.tokens.count, after: Int($1.position)) }
    }
}

extension Scheduler {
    /// The next step, which there must be.
    mutating func packed() throws -> Step {
        guard let step = nextStep() else { throw NothingToSend() }
        return step
    }
}
