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
        policy.prefillStepsInFlightMax = stages + 1
        change(&policy)
        return policy
    }

    @Test func aStepForEachShardIsOnTheRing() throws {
        #expect(try EngineFixtures.policy(EngineFixtures.oneShard).stepsInFlightMax == 1)
        #expect(try EngineFixtures.policy(EngineFixtures.twoShards).stepsInFlightMax == 2)
        #expect(try EngineFixtures.policy(EngineFixtures.twoRounds).stepsInFlightMax == 2)
        #expect(try EngineFixtures.policy(EngineFixtures.twoShards).prefillStepsInFlightMax == 3)
        var limits = SchedulerLimits()
        limits.stepsInFlight = 1000
        #expect(
            try EngineFixtures.policy(EngineFixtures.twoShards, limits: limits).stepsInFlightMax
                == WireLimits.stepsInFlightMax)
        #expect(
            try EngineFixtures.policy(EngineFixtures.twoShards, limits: limits).prefillStepsInFlightMax
                == WireLimits.stepsInFlightMax)
        limits.stepsInFlight = 0
        let least = try EngineFixtures.policy(EngineFixtures.twoShards, limits: limits)
        #expect(least.stepsInFlightMax == 1 && least.prefillStepsInFlightMax == 1)
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

    /// A policy for a ring whose steps take a tenth of a millisecond for each row and as long as `overheadRows` rows
    /// beside.
    private func measured(stages: Int, overheadRows: Double) throws -> PackingPolicy {
        try policy(stages: stages) { policy in
            for rows in [1, 100] {
                for _ in 0..<20 {
                    policy.cost.observe(rows: rows, nanoseconds: UInt64((Double(rows) + overheadRows) * 100_000))
                }
            }
        }
    }

    /// Chunks so large that the part of a step that does not depend on rows hardly shows, and no larger.
    @Test(arguments: [(2.0, 64), (8.0, 256), (100.0, 512)])
    func oneShardTakesPromptsInChunks(overheadRows: Double, rows: Int) throws {
        let policy = try measured(stages: 1, overheadRows: overheadRows)
        #expect(policy.prefillRowsMax(promptRows: 10_000, decodeRows: 0, isAnyDecoding: false) == rows)
    }

    /// The number of chunks balances filling the pipeline against each step's own cost; the values are the formula's,
    /// rounded up to tiles, and no smaller or larger than pays.
    @Test(arguments: [(2, 2048, 128), (2, 32_768, 256), (3, 2048, 96), (9, 2048, 48), (2, 10, 48)])
    func severalShardsTakePromptsInChunks(stages: Int, backlog: Int, rows: Int) throws {
        #expect(
            try policy(stages: stages).prefillRowsMax(promptRows: backlog, decodeRows: 0, isAnyDecoding: false) == rows
        )
    }

    /// A stream's token comes after at most three times what it takes without prompts: its own step's rows, and those
    /// of the step before it on one of two shards.
    @Test(arguments: [(0.5, 1), (8.0, 1), (8.0, 30)])
    func promptsDelayStreamsByAsMuchAsSaid(overheadRows: Double, decodeRows: Int) throws {
        // Slow enough for the time that nobody notices to be nothing.
        var policy = try measured(stages: 2, overheadRows: overheadRows)
        for _ in 0..<200 {
            for rows in [1, 100] {
                policy.cost.observe(rows: rows, nanoseconds: UInt64((Double(rows) + overheadRows) * 1e9))
            }
        }
        let rows = policy.prefillRowsMax(promptRows: 10_000, decodeRows: decodeRows, isAnyDecoding: true)
        let without = policy.cost.nanoseconds(rows: decodeRows)
        let worst = { (rows: Int) in without + policy.cost.perRow * Double(rows) * 1.5 }
        #expect(worst(rows) <= 3.01 * without)
        #expect(worst(rows + 1) >= 2.99 * without)
    }

    /// On a fast ring a chunk may take a twentieth of a second, which nobody notices.
    @Test func aFastRingTakesLargerChunksBesideStreams() throws {
        let policy = try measured(stages: 1, overheadRows: 8)
        let rows = policy.prefillRowsMax(promptRows: 10_000, decodeRows: 1, isAnyDecoding: true)
        #expect(abs(policy.cost.nanoseconds(rows: rows) - policy.cost.base - 50e6) < 1e6)
    }

    @Test func weightsFromDiskAskForLargerSteps() throws {
        var streaming = EngineFixtures.oneShard
        streaming[0].windowLayers = 2
        let policy = try EngineFixtures.policy(streaming)
        #expect(policy.cost.overheadRows == Double(PackingPolicy.overheadRowsFromDisk))
        #expect(policy.prefillRowsMax(promptRows: 1000, decodeRows: 1, isAnyDecoding: true) == 512)
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
