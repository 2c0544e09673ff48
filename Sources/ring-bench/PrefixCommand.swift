// What a conversation's next turn costs with its history in the caches, and without.

import ArgumentParser
import RingAPI

struct PrefixCommand: BenchJob {
    static let configuration = CommandConfiguration(
        commandName: "prefix",
        abstract:
            "A conversation's second turn, with and without prefix caching: time to the first token, tokens computed.",
        discussion: """
            Two rings stay up and are measured in turns, each time with a new conversation. The second turn's prompt is \
            the first's, its answer, and new tokens.
            """)

    @OptionGroup var options: BenchOptions

    @Option(
        name: [.short, .customLong("model")],
        help: ArgumentHelp(
            "Model directory or Hugging Face id; the generated 4-bit one when left out.", valueName: "model"))
    var model: String?

    @Option(help: ArgumentHelp("Tokens of the first turn's prompt.", valueName: "count"))
    var history = 1000

    @Option(help: ArgumentHelp("Tokens of the first turn's answer.", valueName: "count"))
    var answer = 8

    @Option(help: ArgumentHelp("Tokens that the second turn adds.", valueName: "count"))
    var turn = 24

    @Option(help: ArgumentHelp("Shards of each ring.", valueName: "count"))
    var shards = 1

    @Option(help: ArgumentHelp("Threads of each shard.", valueName: "count"))
    var threads = 2

    /// Tokens of the second turn's answer, which must be the same with and without.
    private static let secondAnswer = 4

    func validate() throws {
        guard 1...100_000 ~= history else { throw ValidationError("--history takes 1 to 100000") }
        guard 1...10_000 ~= answer else { throw ValidationError("--answer takes 1 to 10000") }
        guard 1...10_000 ~= turn else { throw ValidationError("--turn takes 1 to 10000") }
        guard 1...8 ~= shards else { throw ValidationError("--shards takes 1 to 8") }
    }

    func measure(into report: BenchReport) async throws {
        let directory = try BenchModel.directory(of: model ?? options.models + "/" + BenchFormat.fourBits.directory)
        let cut = try BenchModel.read(directory).cut(into: shards)
        var limits = SchedulerLimits()
        let with = try ServedRing(model: directory, cut: cut, threads: threads, limits: limits)
        limits.prefixesMax = 0
        let rings = [with, try ServedRing(model: directory, cut: cut, threads: threads, limits: limits)]
        defer { for ring in rings { ring.stop() } }
        for ring in rings {
            try await ring.whenReady()
            _ = try await ring.generate(promptTokens: 64, tokens: 8, salt: 0)
        }
        var seconds: [[Double]] = [[], []]
        var alone: [Double] = []
        var computed: [Double] = []
        for round in 1...options.rounds {
            var answers: [[UInt32]] = []
            for (index, ring) in rings.enumerated() {
                let first = ring.prompt(tokens: history, salt: round)
                let heard = try await ring.generate(after: first, tokens: answer).text
                let added = ring.prompt(tokens: turn, salt: options.rounds + round)
                let prompt = first + heard + added
                let second = try await ring.generate(after: prompt, tokens: Self.secondAnswer)
                seconds[index].append(second.firstToken)
                answers.append(second.text)
                if index == 0 { computed.append(Double(prompt.count - second.cachedTokens)) }
            }
            guard answers[0] == answers[1] else { throw BenchError("the answers differ: \(answers)") }
            // As many tokens as are new, with nothing before them.
            alone.append(
                try await rings[1].generate(promptTokens: turn + 1, tokens: 1, salt: 5000 + round).firstToken)
        }
        let note =
            "\(history) + \(answer) tokens, then \(turn) more; \(shards) × \(threads.threads), 4-bit unless --model"
        var row = BenchRow(
            name: "second turn: time to the first token", unit: "ms", better: .lower,
            ours: Samples(seconds[0].map { $0 * 1000 }), peer: Samples(seconds[1].map { $0 * 1000 }),
            peerName: "no prefix caching", note: note)
        row.limit = alone.median * 1000
        row.limitName = "as many tokens as are new, with nothing before them"
        row.goal = BenchRow.Goal(ratio: 1)
        report.add(row)
        var tokens = BenchRow(
            name: "second turn: tokens computed", unit: "tokens", better: .lower, ours: Samples(computed), note: note)
        // The answer's last token was never sent.
        tokens.limit = Double(turn + 1)
        tokens.limitName = "what is new"
        tokens.goal = BenchRow.Goal(fraction: 1)
        report.add(tokens)
    }
}
