// How large steps are on rings of different shapes.

import Cluster
import Testing
import Wire

@testable import RingAPI

@Suite struct PackingPolicyTests {
    private func policy(stages: Int, change: (inout PackingPolicy) -> Void = { _ in }) throws -> PackingPolicy {
        var policy = try EngineFixtures.policy(EngineFixtures.oneShard)
        policy.stageCount = stages
        policy.stepsInFlightMax = stages
        change(&policy)
        return policy
    }

    @Test func aStepForEachShardIsOnTheRing() throws {
        #expect(try EngineFixtures.policy(EngineFixtures.oneShard).stepsInFlightMax == 1)
        #expect(try EngineFixtures.policy(EngineFixtures.twoShards).stepsInFlightMax == 2)
        #expect(try EngineFixtures.policy(EngineFixtures.twoRounds).stepsInFlightMax == 2)
        var limits = SchedulerLimits()
        limits.stepsInFlight = 1000
        #expect(
            try EngineFixtures.policy(EngineFixtures.twoShards, limits: limits).stepsInFlightMax
                == WireLimits.stepsInFlightMax)
    }

    @Test func streamsSpreadOverTheShards() throws {
        let policy = try policy(stages: 2)
        #expect(policy.decodeRowsMax(decoding: 1, isAnyPrefilling: false) == 1)
        #expect(policy.decodeRowsMax(decoding: 4, isAnyPrefilling: false) == 2)
        #expect(policy.decodeRowsMax(decoding: 5, isAnyPrefilling: false) == 3)
        #expect(policy.decodeRowsMax(decoding: 64, isAnyPrefilling: false) == 32)
    }

    @Test func promptsKeepAPartOfASmallStep() throws {
        let policy = try policy(stages: 1) { $0.rowsMax = 40 }
        #expect(policy.decodeRowsMax(decoding: 64, isAnyPrefilling: false) == 40)
        #expect(policy.decodeRowsMax(decoding: 64, isAnyPrefilling: true) == 30)
    }

    @Test func oneShardTakesPromptsInWholeSteps() throws {
        #expect(try policy(stages: 1).prefillRowsMax(backlogRows: 10_000, isAnyDecoding: false) == 512)
    }

    /// The number of chunks balances filling the pipeline against each step's own cost; the values are the formula's,
    /// rounded up to tiles.
    @Test(arguments: [(2, 2048, 128), (2, 32_768, 512), (3, 2048, 96), (9, 2048, 48), (2, 10, 16)])
    func severalShardsTakePromptsInChunks(stages: Int, backlog: Int, rows: Int) throws {
        #expect(try policy(stages: stages).prefillRowsMax(backlogRows: backlog, isAnyDecoding: false) == rows)
    }

    @Test(arguments: [1, 2, 3, 4]) func runningStreamsWaitForOneChunkAtMost(stages: Int) throws {
        let policy = try policy(stages: stages)
        let rows = policy.prefillRowsMax(backlogRows: 100_000, isAnyDecoding: true)
        let roundedUp = stages * PackingPolicy.tileRows
        #expect(rows * policy.stepsInFlightMax <= PackingPolicy.prefillRowsBesideDecodeMax + roundedUp)
        #expect(rows >= PackingPolicy.tileRows)
    }

    @Test func weightsFromDiskAskForLargerSteps() throws {
        var streaming = EngineFixtures.oneShard
        streaming[0].windowLayers = 2
        let policy = try EngineFixtures.policy(streaming)
        #expect(policy.cost.overheadRows == Double(PackingPolicy.overheadRowsFromDisk))
        #expect(policy.prefillRowsMax(backlogRows: 1000, isAnyDecoding: true) == 256)
    }

    @Test func aStepsPayloadFitsAFrame() throws {
        var model = EngineFixtures.model
        model.hiddenSize = WireLimits.hiddenSizeMax
        let policy = try EngineFixtures.policy(EngineFixtures.oneShard, model: model)
        #expect(policy.rowsMax >= 1)
        #expect(policy.rowsMax * model.hiddenSize * ActivationFormat.bf16.bytesPerElement <= WireLimits.payloadBytesMax)
        #expect((policy.rowsMax + 1) * model.hiddenSize * 2 > WireLimits.payloadBytesMax)
    }

    @Test func theSmallerContextHolds() throws {
        var shards = EngineFixtures.twoShards
        shards[1].contextTokensMax = 100
        #expect(try EngineFixtures.policy(shards).contextTokensMax == 100)
        shards[0].contextTokensMax = 0
        shards[1].contextTokensMax = 0
        #expect(try EngineFixtures.policy(shards).contextTokensMax == 4096)
    }
}
