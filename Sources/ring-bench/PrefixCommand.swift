// What a conversation's next turn costs with its history in the caches, and without.

import ArgumentParser
import RingAPI

struct PrefixCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "prefix",
        abstract: "Time to the first token of a conversation's second turn, with and without prefix caching.",
        discussion: """
            Two rings stay up and are measured in turns, each time with a new conversation; each figure is the best of \
            the rounds. The second turn's prompt is the first's, its answer, and new tokens.
            """)

    @Option(
        name: [.short, .customLong("model")],
        help: ArgumentHelp("Model directory, or a Hugging Face id.", valueName: "model"))
    var model = "examples/model"

    @Option(help: ArgumentHelp("Tokens of the first turn's prompt.", valueName: "count"))
    var history = 2000

    @Option(help: ArgumentHelp("Tokens of the first turn's answer.", valueName: "count"))
    var answer = 8

    @Option(help: ArgumentHelp("Tokens that the second turn adds.", valueName: "count"))
    var turn = 24

    @Option(help: ArgumentHelp("Shards of each ring.", valueName: "count"))
    var shards = 1

    @Option(help: ArgumentHelp("Conversations with each ring.", valueName: "count"))
    var rounds = 3

    @Option(help: ArgumentHelp("Threads of each shard.", valueName: "count"))
    var threads = 1

    @Option(help: ArgumentHelp("Also write the figures to this file, as JSON.", valueName: "file"))
    var json: String?

    func validate() throws {
        guard 1...100_000 ~= history else { throw ValidationError("--history takes 1 to 100000") }
        guard 1...10_000 ~= answer else { throw ValidationError("--answer takes 1 to 10000") }
        guard 1...10_000 ~= turn else { throw ValidationError("--turn takes 1 to 10000") }
        guard 1...8 ~= shards else { throw ValidationError("--shards takes 1 to 8") }
        guard 1...100 ~= rounds else { throw ValidationError("--rounds takes 1 to 100") }
    }

    func run() async throws {
        let directory = try BenchModel.directory(of: model)
        let cut = try BenchModel.read(directory).cut(into: shards)
        var limits = SchedulerLimits()
        let with = try ServedRing(model: directory, cut: cut, threads: threads, limits: limits)
        limits.prefixesMax = 0
        let rings = [try ServedRing(model: directory, cut: cut, threads: threads, limits: limits), with]
        defer { for ring in rings { ring.stop() } }
        for ring in rings {
            try await ring.whenReady()
            _ = try await ring.generate(promptTokens: 64, tokens: 8, salt: 0)
        }
        var best = rings.map { _ in Double.infinity }
        for salt in 1...rounds {
            var answers: [[UInt32]] = []
            for (index, ring) in rings.enumerated() {
                let first = ring.prompt(tokens: history, salt: salt)
                let heard = try await ring.generate(after: first, tokens: answer).text
                let added = ring.prompt(tokens: turn, salt: rounds + salt)
                let second = try await ring.generate(after: first + heard + added, tokens: 4)
                best[index] = min(best[index], second.firstToken)
                answers.append(second.text)
            }
            guard answers[0] == answers[1] else { throw BenchError("the answers differ: \(answers)") }
        }
        print("\(model); \(shards) shards of \(threads) threads; \(history) + \(answer) tokens, then \(turn) more")
        print("base: without prefix caching; value: with it; best of \(rounds) conversations in turns")
        print(RatioFigures.heading)
        let row = RatioFigures(
            "time to first token, second turn", unit: "ms", base: best[0] * 1e3, value: best[1] * 1e3, goal: nil)
        print(row.line)
        if let json { try RatioFigures.write([row], to: json) }
    }
}
