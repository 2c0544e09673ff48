// What a second shard gives: one stream, a prompt, and several streams, on rings of one and of two shards in turns.

import ArgumentParser
import RingAPI

struct RingCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "ring", abstract: "A ring of one shard against a ring of two, each shard with the same threads.",
        discussion: """
            Both rings stay up and are measured in turns; each figure is the best of the rounds. Layers are cut so that \
            the shards read as many bytes for a token (--cut bytes), or in equal numbers (--cut layers), which suits \
            prompts, as the head is applied to their last token alone.
            """)

    enum Cut: String, ExpressibleByArgument, CaseIterable { case bytes, layers }

    enum Part: String, ExpressibleByArgument, CaseIterable { case decode, prefill, streams }

    @Option(
        name: [.short, .customLong("model")],
        help: ArgumentHelp("Model directory, or a Hugging Face id.", valueName: "model"))
    var model = "examples/model"

    @Option(help: "bytes or layers.")
    var cut: Cut = .layers

    @Option(name: .customLong("measure"), help: "decode, prefill or streams; may be given several times.")
    var parts: [Part] = Part.allCases

    @Option(help: ArgumentHelp("Tokens of the prompt.", valueName: "count"))
    var prompt = 2048

    @Option(help: ArgumentHelp("Tokens generated in each stream.", valueName: "count"))
    var tokens = 48

    @Option(help: ArgumentHelp("Numbers of streams at the same time.", valueName: "count"))
    var streams: [Int] = [4, 8]

    @Option(help: ArgumentHelp("Times each ring is measured.", valueName: "count"))
    var rounds = 3

    @Option(help: ArgumentHelp("Threads of each shard.", valueName: "count"))
    var threads = 1

    @Option(help: ArgumentHelp("Most rows of a step.", valueName: "count"))
    var rowsPerStep = SchedulerLimits().rowsPerStepMax

    @Option(help: ArgumentHelp("Steps on a ring at the same time; default: one a shard.", valueName: "count"))
    var stepsInFlight: Int?

    @Option(help: ArgumentHelp("Also write the figures to this file, as JSON.", valueName: "file"))
    var json: String?

    func validate() throws {
        guard 1...100_000 ~= prompt else { throw ValidationError("--prompt takes 1 to 100000") }
        guard 2...10_000 ~= tokens else { throw ValidationError("--tokens takes 2 to 10000") }
        guard streams.allSatisfy({ 1...64 ~= $0 }) else { throw ValidationError("--streams takes 1 to 64") }
        guard 1...100 ~= rounds else { throw ValidationError("--rounds takes 1 to 100") }
    }

    func run() async throws {
        let directory = try BenchModel.directory(of: model)
        let card = try BenchModel.read(directory)
        let halves = cut == .layers ? card.cut(into: 2) : card.cutByBytes()
        var limits = SchedulerLimits()
        limits.rowsPerStepMax = rowsPerStep
        // Every prompt is to be computed.
        limits.prefixesMax = 0
        // Random weights fall into loops, which drafts would make cheap.
        limits.speculation = .off
        let one = try ServedRing(model: directory, cut: card.cut(into: 1), threads: threads, limits: limits)
        limits.stepsInFlight = stepsInFlight
        let rings = [one, try ServedRing(model: directory, cut: halves, threads: threads, limits: limits)]
        defer { for ring in rings { ring.stop() } }
        for ring in rings {
            try await ring.whenReady()
            _ = try await ring.generate(promptTokens: 64, tokens: 8, salt: 0)
        }
        print("\(model); layers \(halves.map { "\($0)" }.joined(separator: " and ")); \(threads) threads a shard")
        print("base: one shard; value: two shards; best of \(rounds) rounds in turns")
        print(RatioFigures.heading)
        var rows: [RatioFigures] = []
        func report(_ name: String, goal: Double, _ rate: (ServedRing, Int) async throws -> Double) async throws {
            let best = try await bestOfRounds(rings, rate)
            let row = RatioFigures(name, unit: "tokens/s", base: best[0], value: best[1], goal: goal)
            rows.append(row)
            print(row.line)
        }
        if parts.contains(.decode) {
            try await report("decode, one stream", goal: 0.97) { ring, salt in
                [try await ring.generate(promptTokens: 32, tokens: tokens, salt: salt)].tokensPerSecond
            }
        }
        if parts.contains(.prefill) {
            try await report("prefill, \(prompt) tokens", goal: 1.85) { ring, salt in
                Double(prompt) / (try await ring.generate(promptTokens: prompt, tokens: 1, salt: salt).firstToken)
            }
        }
        for count in parts.contains(.streams) ? streams : [] {
            try await report("decode, \(count) streams", goal: 1.9) { ring, salt in
                try await ring.generate(streams: count, promptTokens: 16, tokens: tokens, salt: salt).tokensPerSecond
            }
        }
        if let json { try RatioFigures.write(rows, to: json) }
    }

    /// The best rate of each ring, measured in turns so that a busy moment of the machine meets all of them.
    private func bestOfRounds(
        _ rings: [ServedRing], _ rate: (ServedRing, Int) async throws -> Double
    ) async throws -> [Double] {
        var best = rings.map { _ in 0.0 }
        for round in 0..<rounds {
            for index in rings.indices {
                best[index] = max(best[index], try await rate(rings[index], 1000 * (round + 1)))
            }
        }
        return best
    }
}
