// What a second shard gives: one stream, a prompt, and several streams, on rings of one and of two shards in turns.

import ArgumentParser
import RingAPI

struct RingCommand: BenchJob {
    static let configuration = CommandConfiguration(
        commandName: "ring", abstract: "A ring of two shards against a ring of one, each shard with the same threads.",
        discussion: """
            The rings stay up and are measured in turns. The limit is measured in the same rounds: two copies of the \
            one-shard ring side by side, each with half the streams, or with a prompt of its own. Two shards that are \
            never idle can do no more: they too take two steps of half the streams at a time, and share memory.

            Layers are cut evenly for one stream and for prompts, whose last token alone meets the head; for several \
            streams so that both shards read as many bytes for a token, the head's among them.
            """)

    enum Cut: String, ExpressibleByArgument, CaseIterable { case bytes, layers }

    enum Part: String, ExpressibleByArgument, CaseIterable { case decode, prefill, streams }

    @OptionGroup var options: BenchOptions

    @Option(help: ArgumentHelp("4, 8 or bf16.", valueName: "format"))
    var bits = BenchFormat.fourBits

    @Option(
        name: [.short, .customLong("model")],
        help: ArgumentHelp("Model directory, in place of a generated one.", valueName: "dir"))
    var model: String?

    @Option(help: "bytes or layers, whatever is measured.")
    var cut: Cut?

    @Option(name: .customLong("measure"), help: "decode, prefill or streams; may be given several times.")
    var parts: [Part] = Part.allCases

    @Option(help: ArgumentHelp("Tokens of the prompt.", valueName: "count"))
    var prompt = 2048

    @Option(help: ArgumentHelp("Tokens generated in each stream.", valueName: "count"))
    var tokens = 48

    @Option(help: ArgumentHelp("Numbers of streams at the same time.", valueName: "count"))
    var streams: [Int] = [4, 8]

    @Option(help: ArgumentHelp("Threads of each shard.", valueName: "count"))
    var threads = 1

    @Option(help: ArgumentHelp("Most rows of a step.", valueName: "count"))
    var rowsPerStep = SchedulerLimits().rowsPerStepMax

    @Option(help: ArgumentHelp("Steps on a ring at the same time; default: as ring-api has it.", valueName: "count"))
    var stepsInFlight: Int?

    func validate() throws {
        guard 1...100_000 ~= prompt else { throw ValidationError("--prompt takes 1 to 100000") }
        guard 2...10_000 ~= tokens else { throw ValidationError("--tokens takes 2 to 10000") }
        guard streams.allSatisfy({ 2...64 ~= $0 }) else { throw ValidationError("--streams takes 2 to 64") }
        guard 1...64 ~= threads else { throw ValidationError("--threads takes 1 to 64") }
    }

    func measure(into report: BenchReport) async throws {
        if parts.contains(.decode) {
            try await compare("decode, 1 stream", goal: 0.97, cut ?? .layers, report) { rings, salt in
                [try await rings[0].generate(promptTokens: 32, tokens: tokens, salt: salt)].tokensPerSecond
            }
        }
        if parts.contains(.prefill) {
            try await compare("prefill \(prompt)", goal: 1.85, cut ?? .layers, hasLimit: true, report) { rings, salt in
                try await together(rings) { ring, index in
                    let timeline = try await ring.generate(promptTokens: prompt, tokens: 1, salt: salt + 64 * index)
                    return [Double(prompt) / timeline.firstToken]
                }.reduce(0, +)
            }
        }
        for count in parts.contains(.streams) ? streams : [] {
            try await compare("\(count) streams", goal: 1.9, cut ?? .bytes, hasLimit: true, report) { rings, salt in
                try await together(rings) { ring, index in
                    let share = count * (index + 1) / rings.count - count * index / rings.count
                    return try await ring.generate(
                        streams: share, promptTokens: 16, tokens: tokens, salt: salt + 64 * index)
                }.tokensPerSecond
            }
        }
    }

    /// Adds a row: two shards beside one, beside what two whole copies do.
    /// - Parameter rate: tokens a second over all rings that it is given.
    private func compare(
        _ name: String, goal: Double, _ cut: Cut, hasLimit: Bool = false, _ report: BenchReport,
        _ rate: ([ServedRing], _ salt: Int) async throws -> Double
    ) async throws {
        let model = model ?? options.models + "/" + bits.directory
        let card = try BenchModel.read(model)
        let halves = cut == .layers ? card.cut(into: 2) : card.cutByBytes()
        var limits = SchedulerLimits()
        limits.rowsPerStepMax = rowsPerStep
        // Every prompt is to be computed.
        limits.prefixesMax = 0
        // Random weights fall into loops, which drafts would make cheap.
        limits.speculation = .off
        let copies = try (0..<(hasLimit ? 2 : 1)).map { _ in
            try ServedRing(model: model, cut: card.cut(into: 1), threads: threads, limits: limits)
        }
        defer { for copy in copies { copy.stop() } }
        limits.stepsInFlight = stepsInFlight
        let two = try ServedRing(model: model, cut: halves, threads: threads, limits: limits)
        defer { two.stop() }
        for ring in copies + [two] {
            try await ring.whenReady()
            _ = try await ring.generate(promptTokens: 64, tokens: 8, salt: 0)
        }
        var ours: [Double] = []
        var base: [Double] = []
        var limit: [Double] = []
        var busy = [0.0, 0.0]
        for round in 1...options.rounds {
            // A salt of its own for everything: no prompt begins as another did.
            let salt = 1000 * round
            let begun = two.load
            ours.append(try await rate([two], salt))
            busy = zip(busy, two.load.busy(since: begun, threads: threads)).map { max($0, $1) }
            base.append(try await rate([copies[0]], salt + 200))
            if hasLimit { limit.append(try await rate(copies, salt + 400)) }
        }
        var row = BenchRow(
            name: "two shards: \(name), \(bits.name)", unit: "tok/s", ours: Samples(ours), peer: Samples(base),
            peerName: "one shard", goal: BenchRow.Goal(ratio: goal))
        let percent = busy.map { "\(Int((100 * $0).rounded())) %" }.joined(separator: " and ")
        row.note = """
            \(model), layers \(halves.map { "\($0)" }.joined(separator: " and ")), \(threads.threads) a shard; steps \
            from the API's own scheduler; shards at work \(percent) of the time
            """
        if hasLimit {
            row.limit = limit.median
            row.limitName = "two copies of the one-shard ring side by side, each with its half"
        }
        report.add(row)
    }

    /// What all rings give that work at the same time.
    private func together<Result: Sendable>(
        _ rings: [ServedRing], _ work: @escaping @Sendable (ServedRing, Int) async throws -> [Result]
    ) async throws -> [Result] {
        try await withThrowingTaskGroup { group in
            for (index, ring) in rings.enumerated() { group.addTask { try await work(ring, index) } }
            return try await group.reduce(into: []) { $0 += $1 }
        }
    }
}
