// Whether the scheduler keeps all shards at work and running streams flowing, on shards that take time by a formula.

import Testing
import Wire

@testable import RingAPI

/// Shards in a row, each with an equal part of the layers, and a clock that only they move. Time is counted in rows: a
/// step takes as long as its rows and a fixed part, over all shards together.
private struct TimedPipeline {
    static let stepOverhead = Double(PackingPolicy.overheadRowsFromMemory)

    private var scheduler: Scheduler
    private var model = SimulatedModel()
    /// When each shard is free again, and for how long it has worked.
    private var freeAt: [Double]
    private(set) var worked: [Double]
    private var onRing: [(step: Step, doneAt: Double)] = []
    private(set) var now = 0.0
    private(set) var rowsSent = 0
    /// When each sequence got its events.
    private(set) var tokenTimes: [UInt64: [Double]] = [:]

    init(stages: Int) throws {
        var limits = SchedulerLimits()
        // Every row is one that was asked for.
        limits.speculation = .off
        scheduler = Scheduler(limits: limits)
        var policy = try EngineFixtures.policy(EngineFixtures.oneShard, limits: limits)
        (policy.stageCount, policy.stepsInFlightMax, policy.prefillStepsInFlightMax) = (stages, stages, stages + 1)
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
        var result = try model.answer(step)
        // Shards say what a step has taken, in time units of half a second: none is too short to be noticed.
        result.computeNanoseconds = UInt64((Double(step.rowCount) + Self.stepOverhead) * 500e6)
        for case .event(let id, .token) in scheduler.apply(result) {
            tokenTimes[id, default: []].append(now)
        }
        pump()
    }

    private mutating func pump() {
        while let step = scheduler.nextStep() {
            let cost = (Double(step.rowCount) + Self.stepOverhead) / Double(freeAt.count)
            rowsSent += step.rowCount
            var at = now
            for stage in freeAt.indices {
                at = max(at, freeAt[stage]) + cost
                freeAt[stage] = at
                worked[stage] += cost
            }
            onRing.append((step, at))
        }
    }

    /// The waits between two tokens of a sequence after `start`.
    func gaps(of id: UInt64, after start: Double) -> [Double] {
        let times = (tokenTimes[id] ?? []).filter { $0 >= start }
        return zip(times, times.dropFirst()).map { $1 - $0 }
    }

    func longestGap(of id: UInt64, after start: Double = 0) -> Double { gaps(of: id, after: start).max() ?? 0 }
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
        #expect(alone / (try timeToEvaluate(prompt: 2048, stages: 2)) > 1.8)
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

    /// However many shards, whenever the prompt comes: no token comes later than before by more than prompts may add,
    /// which is twice what a step takes without them.
    @Test(arguments: [1, 2, 4], [90, 91, 92, 93])
    func aLongPromptDelaysStreamsByAChunkAtMost(stages: Int, steps: Int) throws {
        var pipeline = try TimedPipeline(stages: stages)
        let ids = try (0..<UInt32(4)).map {
            try pipeline.admit(EngineFixtures.request(prompt: 4, salt: $0, tokensMax: 2000))
        }
        for _ in 0..<steps { try pipeline.advance() }
        let start = pipeline.now
        let before = ids.map { pipeline.longestGap(of: $0, after: start / 2) }.max() ?? 0
        let long = try pipeline.admit(EngineFixtures.request(prompt: 4000, salt: 9, tokensMax: 1))
        while pipeline.tokenTimes[long] == nil { try pipeline.advance() }
        let chunk = PackingPolicy.delayBesideDecode * (TimedPipeline.stepOverhead + Double(4 / stages))
        let during = ids.map { pipeline.longestGap(of: $0, after: start) }.max() ?? 0
        #expect(during > before)
        #expect(during - before <= chunk + 1e-9)
        // A bound that is not wasted: the prompt does not wait twice as long as it would alone.
        let alone = try timeToEvaluate(prompt: 4000, stages: stages)
        #expect(pipeline.now - start <= 2 * alone)
    }

    /// Prompts of mixed lengths that all come at once: each gets its first token about when it would if the ring were
    /// shared equally among them all along; the share that the oldest has anyway may cost the others a third.
    @Test(arguments: [1, 2]) func nobodyWaitsMuchLongerThanWithAnEqualShare(stages: Int) throws {
        let lengths = [3000, 20, 700, 700, 150, 20, 1500, 60]
        var pipeline = try TimedPipeline(stages: stages)
        let stream = try pipeline.admit(EngineFixtures.request(prompt: 4, tokensMax: 4000))
        for _ in 0..<50 { try pipeline.advance() }
        let start = pipeline.now
        let ids = try lengths.indices.map {
            try pipeline.admit(EngineFixtures.request(prompt: lengths[$0], salt: UInt32($0 + 1), tokensMax: 1))
        }
        while !ids.allSatisfy({ pipeline.tokenTimes[$0] != nil }) { try pipeline.advance() }
        let rate = Double(lengths.reduce(0, +)) / (pipeline.now - start)
        let step = pipeline.longestGap(of: stream, after: start)
        for (id, length) in zip(ids, lengths) {
            // Rows evaluated by the time the last of this prompt's would be if all had equal shares.
            let shared = Double(lengths.reduce(0) { $0 + min($1, length) })
            let waited = (pipeline.tokenTimes[id]?.first ?? .infinity) - start
            #expect(waited <= 4 / 3 * shared / rate + 3 * step, "a prompt of \(length) tokens")
        }
    }

    /// Short prompts that never cease to come, a new one for each that got its token: a long one has its share.
    @Test(arguments: [1, 2], [7, 40]) func shortPromptsDoNotStarveALongOne(stages: Int, atATime: Int) throws {
        var pipeline = try TimedPipeline(stages: stages)
        let long = try pipeline.admit(EngineFixtures.request(prompt: 3000, tokensMax: 1))
        var shortOnes: [UInt64] = []
        while pipeline.tokenTimes[long] == nil {
            while shortOnes.count(where: { pipeline.tokenTimes[$0] == nil }) < atATime {
                let salt = UInt32(shortOnes.count + 1)
                shortOnes.append(try pipeline.admit(EngineFixtures.request(prompt: 30, salt: salt, tokensMax: 1)))
            }
            try pipeline.advance()
            try #require(shortOnes.count < 3000, "the long prompt is starved")
        }
        #expect(pipeline.rowsSent <= PromptQueue.oldestShare * 3000)
        // And it does not keep the short ones from theirs.
        #expect(shortOnes.count > 20)
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
        // The three steps on the ring, and its own.
        let step = Double(PackingPolicy.chunkOverheadsMax + 1) * TimedPipeline.stepOverhead
        #expect(pipeline.now - start < 4 * step)
    }
}
