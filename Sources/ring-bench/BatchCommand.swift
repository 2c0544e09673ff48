// What streams cost each other on one shard: many at once, and a long prompt that arrives beside them.

import ArgumentParser
import RingAPI

struct BatchCommand: BenchJob {
    static let configuration = CommandConfiguration(
        commandName: "batch", abstract: "Many streams on one shard against one, and streams beside a long prompt.",
        discussion: """
            The limit of many streams is a step of so many rows, sent back to back without an API. A chunk's time is \
            that of as many tokens of the same prompt when it is alone.
            """)

    @OptionGroup var options: BenchOptions

    @Option(help: ArgumentHelp("4, 8 or bf16; all of them when left out.", valueName: "format"))
    var bits: [BenchFormat] = BenchFormat.allCases

    @Option(help: ArgumentHelp("Threads of the shard.", valueName: "count"))
    var threads = 2

    @Option(help: ArgumentHelp("Streams at the same time.", valueName: "count"))
    var streams = 8

    @Option(help: ArgumentHelp("Tokens generated in each stream.", valueName: "count"))
    var tokens = 48

    @Option(help: ArgumentHelp("Tokens of the prompt that arrives; 0 leaves it out.", valueName: "count"))
    var prompt = 2048

    /// Tokens of the streams' prompts, and of the short prompt behind the long one.
    private static let shortPrompt = 16

    func validate() throws {
        guard 1...64 ~= streams else { throw ValidationError("--streams takes 1 to 64") }
        guard 2...10_000 ~= tokens else { throw ValidationError("--tokens takes 2 to 10000") }
        guard 0...30_000 ~= prompt else { throw ValidationError("--prompt takes 0 to 30000") }
        guard 1...64 ~= threads else { throw ValidationError("--threads takes 1 to 64") }
    }

    func measure(into report: BenchReport) async throws {
        for format in bits {
            let model = options.models + "/" + format.directory
            let card = try BenchModel.read(model)
            let limit = try stepLimit(model, card)
            var limits = SchedulerLimits()
            // Every prompt is to be computed, and every token.
            (limits.prefixesMax, limits.speculation) = (0, .off)
            let ring = try ServedRing(model: model, cut: card.cut(into: 1), threads: threads, limits: limits)
            defer { ring.stop() }
            try await ring.whenReady()
            _ = try await ring.generate(streams: streams, promptTokens: 64, tokens: 8, salt: 0)
            try await manyStreams(format, ring, limit, report)
            if prompt > 0 { try await besidePrompt(format, ring, report) }
        }
    }

    /// Tokens a second when steps of all streams follow each other without a pause.
    private func stepLimit(_ model: String, _ card: BenchModel) throws -> Double {
        let ring = try BenchRing(model: model, card: card, shardCount: 1, threads: threads)
        defer { ring.stop() }
        try ring.begin()
        return Double(streams) / (try ring.decodeMilliseconds(streams: streams, steps: 20) / 1e3)
    }

    private func manyStreams(
        _ format: BenchFormat, _ ring: ServedRing, _ limit: Double, _ report: BenchReport
    ) async throws {
        var many: [Double] = []
        var one: [Double] = []
        for round in 1...options.rounds {
            let salt = 1000 * round
            let timelines = try await ring.generate(
                streams: streams, promptTokens: Self.shortPrompt, tokens: tokens, salt: salt)
            many.append(timelines.tokensPerSecond)
            let timeline = try await ring.generate(promptTokens: Self.shortPrompt, tokens: tokens, salt: salt + 100)
            one.append([timeline].tokensPerSecond)
        }
        var row = BenchRow(
            name: "\(streams) streams, \(format.name), \(threads.threads)", unit: "tok/s", ours: Samples(many),
            peer: Samples(one), peerName: "one stream", goal: goal(format))
        (row.limit, row.limitName) = (limit, "the fastest of 20 steps of \(streams) rows")
        row.note = "one ring-shard; steps from the API's own scheduler"
        report.add(row)
    }

    private func goal(_ format: BenchFormat) -> BenchRow.Goal? {
        guard threads == 2, streams == 8 else { return nil }
        switch format {
        case .fourBits: return BenchRow.Goal(ratio: 2.5)
        case .eightBits: return BenchRow.Goal(ratio: 3.5)
        case .bfloat16: return BenchRow.Goal(ratio: 4.5)
        }
    }

    /// What a round with a prompt beside streams shows, in milliseconds.
    private struct Arrival {
        /// Times between two tokens of a stream, before the prompt came and until it was evaluated.
        var before: [Double] = []
        var during: [Double] = []
        /// Tokens of the prompt in a step, and what they take when it is alone.
        var chunkRows = 0.0
        var chunk = 0.0
        /// Times to the first token: of the long prompt, of the short one behind it, and of both alone.
        var long = 0.0
        var short = 0.0
        var longAlone = 0.0
        var shortAlone = 0.0
    }

    private func besidePrompt(_ format: BenchFormat, _ ring: ServedRing, _ report: BenchReport) async throws {
        var rounds: [Arrival] = []
        for round in 1...options.rounds { rounds.append(try await arrival(ring, salt: 100_000 + 1000 * round)) }
        let chunk = rounds.map(\.chunk).median
        let name = "\(streams) streams, \(format.name)"
        let note = """
            prompt of \(prompt) tokens, \(Int(rounds.map(\.chunkRows).median.rounded())) of them in a step, which take \
            \(BenchTable.figure(chunk)) ms alone; \(threads.threads)
            """
        for percent in [50, 99] {
            let before = Samples(rounds.map { $0.before.percentile(percent) })
            report.add(
                BenchRow(
                    name: "\(name): token after token, p\(percent), a prompt arriving", unit: "ms", better: .lower,
                    ours: Samples(rounds.map { $0.during.percentile(percent) }), peer: before, peerName: "without it",
                    goal: BenchRow.Goal(most: before.median + chunk), note: note))
        }
        // The step that is under way and its own, with no step of the long one's between them.
        let twoSteps = 2 * rounds.map { $0.during.percentile(99) }.median
        report.add(
            BenchRow(
                name: "\(name): first token of \(Self.shortPrompt), behind \(prompt)", unit: "ms", better: .lower,
                ours: Samples(rounds.map(\.short)), peer: Samples(rounds.map(\.shortAlone)), peerName: "alone",
                goal: BenchRow.Goal(most: twoSteps), note: note))
        report.add(
            BenchRow(
                name: "\(name): first token of \(prompt)", unit: "ms", better: .lower,
                ours: Samples(rounds.map(\.long)), peer: Samples(rounds.map(\.longAlone)), peerName: "alone", note: note
            ))
    }

    /// Streams run, then a long prompt arrives, and behind it a short one.
    private func arrival(_ ring: ServedRing, salt: Int) async throws -> Arrival {
        var result = Arrival()
        result.longAlone = 1e3 * (try await ring.generate(promptTokens: prompt, tokens: 1, salt: salt).firstToken)
        result.shortAlone =
            1e3 * (try await ring.generate(promptTokens: Self.shortPrompt, tokens: 1, salt: salt + 1).firstToken)
        // They go on until the prompts have their tokens.
        let running = Task {
            try await ring.generate(
                streams: streams, promptTokens: Self.shortPrompt, tokens: 10_000, salt: salt + 100)
        }
        try await Task.sleep(for: .seconds(2))
        let begun = ring.load
        async let longTime = ring.generate(promptTokens: prompt, tokens: 1, salt: salt + 2)
        try await Task.sleep(for: .milliseconds(300))
        let short = try await ring.generate(promptTokens: Self.shortPrompt, tokens: 1, salt: salt + 3)
        let long = try await longTime
        let load = ring.load
        running.cancel()
        let timelines = try await running.value
        guard let evaluated = long.tokens.first else { throw BenchError("the prompt brought no token") }
        result.before = timelines.flatMap { $0.gaps(until: long.asked) }
        result.during = timelines.flatMap { $0.gaps(from: long.asked, until: evaluated) }
        guard !result.before.isEmpty, !result.during.isEmpty else { throw BenchError("no stream was running") }
        result.chunkRows = load.rowsPerStep(since: begun) - Double(streams)
        result.chunk = result.longAlone * result.chunkRows / Double(prompt)
        result.long = 1e3 * long.firstToken
        result.short = 1e3 * short.firstToken
        return result
    }
}

extension ServedRing.Timeline {
    /// Milliseconds between two tokens, for those that came in a stretch of time.
    fileprivate func gaps(
        from begin: ContinuousClock.Instant? = nil, until end: ContinuousClock.Instant
    ) -> [Double] {
        // The first few come while other streams' prompts are still being evaluated.
        zip(tokens.dropFirst(4), tokens.dropFirst(5)).filter { $1 >= begin ?? asked && $1 <= end }.map {
            1e3 * $0.duration(to: $1).seconds
        }
    }
}

extension [Double] {
    /// The least value that so many percent of all do not exceed; 0 when there is none.
    func percentile(_ percent: Int) -> Double {
        isEmpty ? 0 : sorted()[Swift.max(0, (count * percent + 99) / 100 - 1)]
    }
}
