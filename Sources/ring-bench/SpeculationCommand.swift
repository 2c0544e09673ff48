// What guessing ahead gives: the same answers with and without it.

import ArgumentParser
import RingAPI

struct SpeculationCommand: BenchJob {
    static let configuration = CommandConfiguration(
        commandName: "speculation",
        abstract: "Tokens a second with drafts and without, on answers that copy and others.",
        discussion: """
            The answers are texts of tools/bench/texts, told to a model of random weights whose first layer says what its \
            prompt dictates (tools/bench/dictated_model.py), so that a step costs what it costs and an answer is what \
            a good model would say. Each text gets a new ring, which has learnt nothing from others.
            """)

    @OptionGroup var options: BenchOptions

    @Option(help: ArgumentHelp("Texts: \(Text.allCases.map(\.rawValue).joined(separator: ", ")); all when left out."))
    var text: [Text] = Text.allCases

    @Option(help: ArgumentHelp("Set-ups: near, far, window; all when left out.", valueName: "name"))
    var setup: [Setup] = Setup.allCases

    @Option(help: ArgumentHelp("Threads of the shard.", valueName: "count"))
    var threads = 2

    @Option(help: ArgumentHelp("Most tokens of an answer.", valueName: "count"))
    var tokens = 256

    /// What is answered.
    enum Text: String, CaseIterable, ExpressibleByArgument {
        case edit, summarise, explain, list, noise

        var isCopy: Bool { self == .edit || self == .summarise }

        var title: String {
            switch self {
            case .edit: "a file edited"
            case .summarise: "a report summarised"
            case .explain: "a question answered"
            case .list: "a list in JSON"
            case .noise: "one of 4 tokens at random"
            }
        }
    }

    /// What a lap costs beside computing.
    enum Setup: String, CaseIterable, ExpressibleByArgument {
        case near, far, window

        var title: String {
            switch self {
            case .near: ""
            case .far: ", 20 ms of network a lap"
            case .window: ", 2 of 28 layers in memory"
            }
        }
    }

    private static let folder = "tools/bench/texts"
    private static let networkDelay: Duration = .milliseconds(20)
    /// Where laps are dear, a part of the answer shows as much.
    private static let tokensDear = 96
    private static let roundsDear = 2
    private static let noiseTokens = 256

    func validate() throws {
        guard 2..<Dictation.distance ~= tokens else {
            throw ValidationError("--tokens takes 2 to \(Dictation.distance - 1)")
        }
        guard 1...1024 ~= threads else { throw ValidationError("--threads takes 1 to 1024") }
    }

    func measure(into report: BenchReport) async throws {
        let model = options.models + "/dictated"
        let card = try BenchModel.read(model)
        for setup in setup {
            for text in text where setup == .near || text == .edit {
                let dictation =
                    text == .noise
                    ? try Dictation.noise(of: 4, tokens: Self.noiseTokens, vocabularySize: card.vocabularySize)
                    : try Dictation.read(text.rawValue, in: Self.folder, vocabularySize: card.vocabularySize)
                try await measure(dictation, text, setup, model: model, card: card, into: report)
            }
        }
    }

    private func measure(
        _ dictation: Dictation, _ text: Text, _ setup: Setup, model: String, card: BenchModel, into report: BenchReport
    ) async throws {
        let count = min(dictation.answer.count, setup == .near ? tokens : min(tokens, Self.tokensDear))
        let ring = try ServedRing(
            model: model, cut: card.cut(into: 1), threads: threads,
            flags: setup == .window ? ["--prefetch-window", "2"] : [],
            delay: setup == .far ? Self.networkDelay : .zero)
        defer { ring.stop() }
        try await ring.whenReady()
        // The prompt is read once; all answers find it in the cache.
        _ = try await ring.generate(after: dictation.prompt, tokens: 1)
        func rate(mayDraft: Bool) async throws -> Double {
            let answer = try await ring.generate(after: dictation.prompt, tokens: count, mayDraft: mayDraft)
            guard answer.text == Array(dictation.answer.prefix(count)) else {
                throw BenchError("\(text.rawValue): the model does not say what it is told")
            }
            return [answer].tokensPerSecond
        }
        var with: [Double] = []
        var without: [Double] = []
        for round in 0..<(setup == .near ? options.rounds : min(options.rounds, Self.roundsDear)) {
            // Each goes first in turn.
            if round % 2 == 0 { with.append(try await rate(mayDraft: true)) }
            without.append(try await rate(mayDraft: false))
            if round % 2 == 1 { with.append(try await rate(mayDraft: true)) }
        }
        let drafts = ring.drafts
        report.add(
            BenchRow(
                name: "speculation: \(text.title)\(setup.title)", unit: "tok/s", ours: Samples(with),
                peer: Samples(without), peerName: "without", goal: BenchRow.Goal(ratio: text.isCopy ? 1.8 : 0.97),
                note: """
                    \(count) tokens after \(dictation.prompt.count), 4-bit, \(threads.threads); \
                    \(drafts.right) of \(drafts.sent) guesses right over \(with.count) rounds
                    """))
    }
}
