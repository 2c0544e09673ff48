// What rounding costs in quality: how surprised a model is by fixed texts, in float32 and as it is served, and the same
// of llama.cpp with the same weights.

import ArgumentParser
import FoundationEssentials
import RingAPI
import Text
import Weights
import Wire

struct PerplexityCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "perplexity",
        abstract: "Perplexity of fixed texts in float32, as served, and by llama.cpp with the same weights.")

    @Option(help: ArgumentHelp("Formats of the example model, as `make bench` leaves them.", valueName: "dir"))
    var models = ".bench/quality"

    @Option(
        name: [.short, .customLong("model")],
        help: ArgumentHelp("A model directory or Hugging Face id of your own in place of these.", valueName: "model"))
    var model: String?

    @Option(
        help: ArgumentHelp("Python that has the peers; without one, ours is measured alone.", valueName: "program"))
    var python: String?

    @Option(
        help: ArgumentHelp(
            "Texts: in each line a JSON array of strings, by turns what is given and what is told.", valueName: "file"))
    var text = "examples/model/held_out.jsonl"

    @Option(help: ArgumentHelp("Shards the layers are cut into.", valueName: "count"))
    var shards = 2

    @Option(help: ArgumentHelp("Threads of each shard and of the peer.", valueName: "count"))
    var threads = 1

    @Option(help: ArgumentHelp("Also write the figures to this file, as JSON.", valueName: "file"))
    var json: String?

    /// Ways to compute, the base first, as flags of every shard.
    private static let modes: [(name: String, flags: [String])] = [
        ("ring --exact", ["--exact"]), ("ring", []), ("ring --kv-bits 8", ["--kv-bits", "8"]),
    ]

    /// A stored format of the example model.
    private struct Format {
        let name: String
        let directory: String
        /// The same values for llama.cpp.
        var peerFile: String?
    }

    private func formats() throws -> [Format] {
        if let model { return [Format(name: model, directory: try BenchModel.directory(of: model))] }
        return [
            Format(name: "bf16", directory: "\(models)/bf16", peerFile: "bf16"),
            Format(name: "Q8_0", directory: "\(models)/q8_0", peerFile: "q8_0"),
            Format(name: "Q4_0", directory: "\(models)/q4_0", peerFile: "q4_0"),
            Format(name: "MLX 8-bit", directory: "\(models)/8bit"),
            Format(name: "MLX 4-bit", directory: "\(models)/4bit"),
        ]
    }

    func validate() throws {
        guard 1...8 ~= shards else { throw ValidationError("--shards takes 1 to 8") }
        guard 1...256 ~= threads else { throw ValidationError("--threads takes 1 to 256") }
    }

    func run() async throws {
        let peer = try python.map { try PeerProcess(python: $0, script: BenchOptions.peerScript) }
        defer { peer?.stop() }
        var rows: [PerplexityFigures] = []
        for format in try formats() {
            let card = try BenchModel.read(format.directory)
            guard shards <= card.layerCount else { throw ValidationError("--shards is more than the model's layers") }
            let texts = try texts(of: format.directory)
            if rows.isEmpty {
                let told = texts.reduce(0) { $0 + $1.told.count }
                let all = texts.reduce(0) { $0 + $1.tokens.count - 1 }
                print("\(text): \(texts.count) texts, \(told) tokens told of \(all); models cut into \(shards)")
                print(PerplexityFigures.heading)
            }
            var tellings: [(mode: String, telling: Telling)] = []
            for mode in Self.modes {
                tellings.append((mode.name, try await tell(texts, by: format, card, flags: mode.flags)))
            }
            rows += report(format, texts, tellings)
            if let peer, let file = format.peerFile {
                tellings = [
                    ("llama.cpp float32", try tell(texts, by: peer, "\(models)/\(file)-f32.gguf", isFloat: true)),
                    ("llama.cpp", try tell(texts, by: peer, "\(models)/\(file).gguf", isFloat: false)),
                ]
                rows += report(format, texts, tellings)
            }
        }
        if let json { try PerplexityFigures.write(rows, to: json) }
    }

    /// Prints a row a mode, each beside the first.
    private func report(
        _ format: Format, _ texts: [ToldText], _ tellings: [(mode: String, telling: Telling)]
    ) -> [PerplexityFigures] {
        tellings.map { mode, telling in
            let row = PerplexityFigures(
                weights: format.name, mode: mode, telling, of: texts, base: tellings[0].telling)
            print(row.line)
            return row
        }
    }

    private func texts(of directory: String) throws -> [ToldText] {
        guard let tokenizer = try Tokenizer.of(Checkpoint(directory: directory), textDirectory: directory) else {
            throw ValidationError("\(directory) has no tokenizer")
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

    private func tell(
        _ texts: [ToldText], by format: Format, _ card: BenchModel, flags: [String]
    ) async throws -> Telling {
        let ring = try ServedRing(
            model: format.directory, cut: card.cut(into: shards), threads: threads, flags: flags)
        defer { ring.stop() }
        try await ring.whenReady()
        var telling = Telling()
        for text in texts {
            for choice in try await ring.tell(text.tokens) {
                telling.logProbabilities.append(Double(choice.logprob))
                telling.likeliest.append(choice.top.first?.token ?? choice.token)
            }
        }
        return telling
    }

    private func tell(
        _ texts: [ToldText], by peer: PeerProcess, _ file: String, isFloat: Bool
    ) throws -> Telling {
        let longest = texts.reduce(0) { max($0, $1.tokens.count) }
        try peer.ask(.loadForTelling(model: file, threads: threads, context: longest + 1, isFloat: isFloat))
        var telling = Telling()
        for text in texts {
            let answer = try peer.ask(.tell(text: text.tokens.map { Int($0) }))
            guard let told = answer.logProbabilities, let likeliest = answer.tokens,
                told.count == text.tokens.count - 1, likeliest.count == told.count
            else { throw BenchError("the peer told less than the text") }
            telling.logProbabilities += told
            telling.likeliest += likeliest.map { UInt32($0) }
        }
        return telling
    }
}
