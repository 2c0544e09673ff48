// What reading a tokenizer and turning texts into tokens and back takes, beside Hugging Face's tokenizers.

import ArgumentParser
import FoundationEssentials
import Text

struct TokenizerCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "tokenizer",
        abstract: "How fast a tokenizer is read, and how fast it encodes and decodes with one thread.",
        discussion: "Without --tokenizer one of 150,000 tokens is made; without --text, four texts of a megabyte.")

    @Option(help: ArgumentHelp("Directory with a tokenizer.json.", valueName: "dir"))
    var tokenizer: String?

    @Option(help: ArgumentHelp("A text to encode, in UTF-8. May be given again.", valueName: "file"))
    var text: [String] = []

    @Option(help: ArgumentHelp("A Python that has the package tokenizers, to compare with.", valueName: "program"))
    var python: String?

    @Option(help: ArgumentHelp("Rounds of each measurement; the fastest counts.", valueName: "count"))
    var rounds = 3

    @Option(help: ArgumentHelp("Where what is made goes.", valueName: "dir"))
    var folder = ".bench/tokenizer"

    @Option(help: ArgumentHelp("Also write the figures to this file, as JSON.", valueName: "file"))
    var json: String?

    /// Seconds in which the tokenizer is to be read.
    private static let readingGoal = 0.5

    func validate() throws {
        guard 1...1000 ~= rounds else { throw ValidationError("--rounds takes 1 to 1000") }
        guard python != nil || json == nil else { throw ValidationError("--json needs --python: it holds ratios") }
    }

    func run() throws {
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        let directory = try tokenizer ?? MadeTokenizer.write(into: folder)
        let texts = try text.isEmpty ? MadeTexts.write(into: folder) : text
        let own = try measure(directory, texts)
        guard let python else {
            for figures in own { print(figures.line) }
            return
        }
        let peer = try TokenizerPeer.measure(
            python: python, tokenizer: directory, texts: texts, rounds: rounds, folder: folder)
        let rows = try self.rows(own, peer)
        print(RatioFigures.heading)
        for row in rows { print(row.line) }
        if let json { try RatioFigures.write(rows, to: json) }
    }

    private func measure(_ directory: String, _ texts: [String]) throws -> [TokenizerFigures] {
        var reading = TokenizerFigures(name: "reading", bytes: 0)
        reading.readSeconds = try fastest { _ = try Tokenizer(modelDirectory: directory) }
        print("\(directory) is read in \((reading.readSeconds * 1000).column(0, decimals: 0)) ms")
        let tokenizer = try Tokenizer(modelDirectory: directory)
        return [reading]
            + (try texts.map { path in
                let text = try String(contentsOf: URL(filePath: path), encoding: .utf8)
                var figures = TokenizerFigures(name: path, bytes: text.utf8.count)
                var ids: [UInt32] = []
                figures.encodeSeconds = fastest { ids = tokenizer.encode(text, addSpecialTokens: false) }
                figures.decodeSeconds = fastest { _ = tokenizer.decode(ids, skipSpecialTokens: false) }
                figures.count = ids.count
                figures.checksum = TokenizerFigures.checksum(of: ids)
                return figures
            })
    }

    private func fastest(_ body: () throws -> Void) rethrows -> Double {
        var best = Duration.seconds(1 << 30)
        for _ in 0..<rounds { best = min(best, try ContinuousClock().measure(body)) }
        return best / .seconds(1)
    }

    private func rows(_ own: [TokenizerFigures], _ peer: [TokenizerFigures]) throws -> [RatioFigures] {
        try zip(own, peer).flatMap { own, peer in
            guard own.bytes > 0 else {
                return [
                    RatioFigures(
                        "reading, per second", unit: "tokenizers/s, tokenizers beside ring",
                        base: 1 / peer.readSeconds, value: 1 / own.readSeconds, goal: nil),
                    RatioFigures(
                        "reading, against \(Self.readingGoal) s", unit: "s",
                        base: Self.readingGoal, value: own.readSeconds, goal: 1),
                ]
            }
            guard own.count == peer.count, own.checksum == peer.checksum else {
                throw BenchError("\(own.name): the ids differ from the peer's (\(own.count), \(peer.count) of them)")
            }
            let megabytes = Double(own.bytes) / 1e6
            let name = own.name.split(separator: "/").last.map(String.init) ?? own.name
            return [
                RatioFigures(
                    "encoding \(name)", unit: "MB/s, tokenizers beside ring", base: megabytes / peer.encodeSeconds,
                    value: megabytes / own.encodeSeconds, goal: 1),
                RatioFigures(
                    "decoding \(name)", unit: "MB/s, tokenizers beside ring", base: megabytes / peer.decodeSeconds,
                    value: megabytes / own.decodeSeconds, goal: 1),
            ]
        }
    }
}
