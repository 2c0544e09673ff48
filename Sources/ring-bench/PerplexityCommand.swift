// What rounding costs in quality: how surprised a model is by a fixed text, computed exactly and as it is served.

import ArgumentParser
import FoundationEssentials
import Glibc
import RingAPI
import Text
import Weights

struct PerplexityCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "perplexity",
        abstract: "Perplexity of a fixed text: in float32, as served by default, and with an 8-bit key/value cache.")

    @Option(name: [.short, .customLong("model")], help: ArgumentHelp("Model directory.", valueName: "dir"))
    var model = "examples/model"

    @Option(
        help: ArgumentHelp(
            "Texts: in each line a JSON array of strings, by turns what is given and what is told.", valueName: "file"))
    var text = "examples/model/held_out.jsonl"

    @Option(help: ArgumentHelp("Shards the layers are cut into.", valueName: "count"))
    var shards = 2

    @Option(help: ArgumentHelp("Threads of each shard.", valueName: "count"))
    var threads = 1

    @Option(help: ArgumentHelp("Also write the figures to this file, as JSON.", valueName: "file"))
    var json: String?

    /// What is compared, the base first, as flags of every shard.
    private static let modes: [(name: String, flags: [String])] = [
        ("--exact", ["--exact"]), ("default", []), ("--kv-bits 8", ["--kv-bits", "8"]),
    ]

    func validate() throws {
        guard 1...8 ~= shards else { throw ValidationError("--shards takes 1 to 8") }
    }

    func run() async throws {
        let card = try BenchModel.read(model)
        guard shards <= card.layerCount else { throw ValidationError("--shards is more than the model's layers") }
        let texts = try texts()
        let count = texts.reduce(0) { $0 + $1.told.count }
        print("\(text): \(texts.count) texts, \(count) tokens to tell; \(model) cut into \(shards)")
        print("mode".leftAligned(16) + "  perplexity   change  largest change of a token's log-probability")
        var base: [Float] = []
        var figures: [PerplexityFigures] = []
        for mode in Self.modes {
            let logProbabilities = try await logProbabilities(of: texts, card: card, flags: mode.flags)
            if base.isEmpty { base = logProbabilities }
            let row = PerplexityFigures(mode: mode.name, logProbabilities, base: base)
            figures.append(row)
            print(row.line)
        }
        if let json { try PerplexityFigures.write(figures, to: json) }
    }

    private func texts() throws -> [ToldText] {
        guard let tokenizer = try Tokenizer.of(Checkpoint(directory: model)) else {
            throw ValidationError("\(model) has no tokenizer")
        }
        let lines = try Data(contentsOf: URL(filePath: text)).split(separator: UInt8(ascii: "\n"))
        let texts = try lines.map { line in
            var text = ToldText()
            for (index, piece) in try JSONDecoder().decode([String].self, from: line).enumerated() {
                text.append(tokenizer.encode(piece, addSpecialTokens: false), isTold: index % 2 == 1)
            }
            return text
        }
        guard !texts.isEmpty, texts.allSatisfy({ $0.told.first ?? 0 > 0 }) else {
            throw ValidationError("\(text) must hold lines of two strings or more, none of them empty")
        }
        return texts
    }

    private func logProbabilities(
        of texts: [ToldText], card: BenchModel, flags: [String]
    ) async throws -> [Float] {
        let ring = try ServedRing(model: model, cut: card.cut(into: shards), threads: threads, flags: flags)
        defer { ring.stop() }
        try await ring.whenReady()
        var all: [Float] = []
        for text in texts {
            let each = try await ring.logProbabilities(of: text.tokens)
            all += text.told.map { each[$0 - 1] }
        }
        return all
    }
}

/// Tokens, some of which are only given: a model that was trained on answers is not asked how likely questions are.
struct ToldText {
    var tokens: [UInt32] = []
    /// Indices of the tokens that count.
    var told: [Int] = []

    mutating func append(_ piece: [UInt32], isTold: Bool) {
        if isTold { told += tokens.count..<tokens.count + piece.count }
        tokens += piece
    }
}

struct PerplexityFigures: Encodable {
    let mode: String
    let perplexity: Double
    /// Relative to the base.
    let change: Double
    /// Largest difference of a token's log-probability from the base.
    let logProbabilityChangeMax: Double

    init(mode: String, _ logProbabilities: [Float], base: [Float]) {
        self.mode = mode
        perplexity = Self.perplexity(logProbabilities)
        change = perplexity / Self.perplexity(base) - 1
        logProbabilityChangeMax = zip(logProbabilities, base).reduce(0) { max($0, abs(Double($1.0) - Double($1.1))) }
    }

    private static func perplexity(_ logProbabilities: [Float]) -> Double {
        exp(-logProbabilities.reduce(0) { $0 + Double($1) } / Double(logProbabilities.count))
    }

    var line: String {
        mode.leftAligned(16) + perplexity.column(12, decimals: 6) + (change * 100).column(9, decimals: 4) + " %"
            + logProbabilityChangeMax.column(10, decimals: 4)
    }

    static func write(_ rows: [PerplexityFigures], to path: String) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
        try encoder.encode(rows).write(to: URL(filePath: path))
    }
}
