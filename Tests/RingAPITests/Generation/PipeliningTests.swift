// Whether the scheduler keeps all shards at work and running streams flowing, on shards that take time by a formula.

import Testing
import Wire

@testable import RingAPI

/// Shards in a row, each with an equal part of the layers. Time is counted in rows: a step takes as long as its rows
/// and
/// a fixed part, over all shards together.
private struct TimedPipeline {
    static let stepOverhead = Double(PackingPolicy.overheadRowsFromMemory)

    private var scheduler: Scheduler
    private var model = SimulatedModel()
    /// When each shard is free again, and for how long it has worked.
    private var freeAt: [Double]
    private(set) var worked: [Double]
    private var onRing: [(step: Step, doneAt: Double)] = []
    private(set) var now = 0.0
    /// When each sequence got its events.
    private(set) var tokenTimes: [UInt64: [Double]] = [:]

    init(stages: Int) throws {
        let limits = SchedulerLimits()
        scheduler = Scheduler(limits: limits)
        var policy = try EngineFixtures.policy(EngineFixtures.oneShard, limits: limits)
        (policy.stageCount, policy.stepsInFlightMax) = (stages, stages)
        policy.contextTokensMax = 100_000
        _ = scheduler.resume(epoch: 1, policy: policy)
        freeAt = [Double](repeating: 0, count: stages)
        worked = freeAt
    }

    var isIdle: Bool { scheduler.isIdle }

    mutating func admit(_ request: GenerationRequest) throws -> UInt64 {
        let id = try scheduler.admit(request)
        pump()
        return id
    }

    /// Lets the next step come back.
    mutating func advance() throws {
        guard !onRing.isEmpty else { return }
        let (step, doneAt) = onRing.removeFirst()
        now = doneAt
        for case .event(let id, .token) in scheduler.apply(try model.answer(step)) {
            tokenTimes[id, default: []].append(now)
        }
        pump()
    }

    private mutating func pump() {
        while let step = scheduler.nextStep() {
            let cost = (Double(step.rowCount) + Self.stepOverhead) / Double(freeAt.count)
            var at = now
            for stage in freeAt.indices {
                at = max(at, freeAt[stage]) + cost
                freeAt[stage] = at
                worked[stage] += cost
            }
            onRing.append((step, at))
        }
    }

    /// The longest wait between two tokens of a sequence after `start`.
    func longestGap(of id: UInt64, after start: Double = 0) -> Double {
        let times = (tokenTimes[id] ?? []).filter { $0 >= start }
        return zip(times, times.dropFirst()).map { $1 - $0 }.max() ?? 0
    }
}

@Suite struct PipeliningTests {
    private func timeToEvaluate(prompt count: Int, stages: Int) throws -> Double {
        var pipeline = try TimedPipeline(stages: stages)
        _ = try pipeline.admit(EngineFixtures.request(prompt: count, tokensMax: 1))
        while !pipeline.isIdle { try pipeline.advance() }
        return pipeline.now
    }

    @Test func promptsFlowThroughTheShardsInChunks() throws {
        let alone = try timeToEvaluate(prompt: 2048, stages: 1)
        #expect(alone / (try timeToEvaluate(prompt: 2048, stages: 2)) > 1.75)
        #expect(alone / (try timeToEvaluate(prompt: 2048, stages: 4)) > 3)
        let long = try timeToEvaluate(prompt: 32_768, stages: 1)
        #expect(long / (try timeToEvaluate(prompt: 32_768, stages: 2)) > 1.9)
    }

    @Test(arguments: [(2, 4), (2, 7), (3, 9), (4, 16)])
    func streamsKeepAllShardsAtWork(stages: Int, streams: Int) throws {
        var pipeline = try TimedPipeline(stages: stages)
        for salt in 0..<UInt32(streams) {
            _ = try pipeline.admit(EngineFixtures.request(prompt: 4, salt: salt, tokensMax: 400))
        }
        for _ in 0..<100 { try pipeline.advance() }
        let (start, before) = (pipeline.now, pipeline.worked)
        for _ in 0..<300 { try pipeline.advance() }
        for stage in 0..<stages {
            let share = (pipeline.worked[stage] - before[stage]) / (pipeline.now - start)
            #expect(share > 0.9, "shard \(stage) worked \(share) of the time")
        }
    }

    @Test(arguments: [1, 2, 4]) func aLongPromptDelaysStreamsByAChunkAtMost(stages: Int) throws {
        var pipeline = try TimedPipeline(stages: stages)
        let ids = try (0..<UInt32(3)).map {
            try pipeline.admit(EngineFixtures.request(prompt: 4, salt: $0, tokensMax: 600))
        }
        for _ in 0..<90 { try pipeline.advance() }
        let start = pipeline.now
        let before = ids.map { pipeline.longestGap(of: $0, after: start / 2) }.max() ?? 0
        _ = try pipeline.admit(EngineFixtures.request(prompt: 4000, salt: 9, tokensMax: 1))
        for _ in 0..<100 { try pipeline.advance() }
        let after = ids.map { pipeline.longestGap(of: $0, after: start) }.max() ?? 0
        let chunk = Double(PackingPolicy.prefillRowsBesideDecodeMax) + TimedPipeline.stepOverhead
        #expect(after > before)
        #expect(after - before <= chunk, "\(before) before, \(after) after")
    }

    @Test func shortPromptsDoNotWaitForLongOnes() throws {
        var pipeline = try TimedPipeline(stages: 2)
        for salt in 0..<UInt32(3) {
            _ = try pipeline.admit(EngineFixtures.request(prompt: 20_000, salt: salt, tokensMax: 1))
        }
        for _ in 0..<10 { try pipeline.advance() }
        let start = pipeline.now
        let short = try pipeline.admit(EngineFixtures.request(prompt: 10, salt: 9, tokensMax: 1))
        while pipeline.tokenTimes[short] == nil { try pipeline.advance() }
        // Two steps on the ring and a turn of each of the three before it.
        let step = Double(SchedulerLimits().rowsPerStepMax) + TimedPipeline.stepOverhead
        #expect(pipeline.now - start < 5 * step)
    }
}
