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
        #expect(policy.prefillRows(10_000, beside: 0, decodes: false) == rows)
    }

    /// The number of chunks balances filling the pipeline against each step's own cost; the values are the formula's,
    /// rounded up to tiles, and no smaller or larger than pays.
    @Test(arguments: [(2, 2048, 128), (2, 32_768, 256), (3, 2048, 96), (9, 2048, 48), (2, 10, 48)])
    func severalShardsTakePromptsInChunks(stages: Int, backlog: Int, rows: Int) throws {
        #expect(
            try policy(stages: stages).prefillRows(backlog, beside: 0, decodes: false) == rows
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
        let rows = policy.prefillRows(10_000, beside: decodeRows, decodes: true)
        let without = policy.cost.nanoseconds(rows: decodeRows)
        let worst = { (rows: Int) in without + policy.cost.perRow * Double(rows) * 1.5 }
        #expect(worst(rows) <= 3.01 * without)
        #expect(worst(rows + 1) >= 2.99 * without)
    }

    /// Rows that look back far take longer: there are fewer of them in a step, which takes no longer.
    @Test(arguments: [1, 2]) func chunksTakeEquallyLongAllAlong(stages: Int) throws {
        var policy = try policy(stages: stages) { $0.rowsMax = 4096 }
        let time = { (size: StepSize) in 1e8 * (8 + Double(size.rows) + Double(size.context) / 1000) }
        for rows in [1, 4, 60, 250] {
            for position in [0, 100, 2000, 9000] {
                var size = StepSize()
                size.add(rows: rows, after: position)
                policy.cost.observe(size, nanoseconds: UInt64(time(size)))
            }
        }
        policy.cost.fit()
        for isAnyDecoding in [false, true] {
            let decode = StepSize(rows: isAnyDecoding ? 40 : 0)
            let times = [0, 1000, 3000].map { position in
                let rows = policy.prefillRowsMax(
                    promptRows: 4000, context: position, decode: decode, isAnyDecoding: isAnyDecoding)
                return Double(rows) * (1 + Double(position) / 1000)
            }
            // But for whole rows and tiles.
            let most = isAnyDecoding ? 4.0 : 4 * Double(PackingPolicy.tileRows)
            for time in times { #expect(abs(time - times[0]) <= most) }
        }
    }

    /// On a fast ring a chunk may take a twentieth of a second, which nobody notices.
    @Test func aFastRingTakesLargerChunksBesideStreams() throws {
        let policy = try measured(stages: 1, overheadRows: 8)
        let rows = policy.prefillRows(10_000, beside: 1, decodes: true)
        #expect(abs(policy.cost.nanoseconds(rows: rows) - policy.cost.base - 50e6) < 1e6)
    }

    @Test func weightsFromDiskAskForLargerSteps() throws {
        var streaming = EngineFixtures.oneShard
        streaming[0].windowLayers = 2
        let policy = try EngineFixtures.policy(streaming)
        #expect(policy.cost.overheadRows == Double(PackingPolicy.overheadRowsFromDisk))
        #expect(policy.prefillRows(1000, beside: 1, decodes: true) == 512)
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

extension PackingPolicy {
    /// For prompts at their beginning.
    fileprivate func prefillRows(_ promptRows: Int, beside decodeRows: Int, decodes: Bool) -> Int {
        prefillRowsMax(
            promptRows: promptRows, context: 0, decode: StepSize(rows: decodeRows), isAnyDecoding: decodes)
    }
}
