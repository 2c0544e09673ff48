// What reading a tokenizer and turning texts into tokens and back takes, beside Hugging Face's tokenizers.

import ArgumentParser
import FoundationEssentials
import Text

struct TokenizerCommand: BenchJob {
    static let configuration = CommandConfiguration(
        commandName: "tokenizer",
        abstract: "How fast a tokenizer is read, and how fast it encodes and decodes with one thread.",
        discussion: "Without --tokenizer one of 150,000 tokens is made; without --text, four texts of a megabyte.")

    @OptionGroup var options: BenchOptions

    @Option(help: ArgumentHelp("Directory with a tokenizer.json.", valueName: "dir"))
    var tokenizer: String?

    @Option(help: ArgumentHelp("A text to encode, in UTF-8. May be given again.", valueName: "file"))
    var text: [String] = []

    @Option(help: ArgumentHelp("Where what is made goes.", valueName: "dir"))
    var folder = ".bench/tokenizer"

    /// Seconds in which the tokenizer is to be read.
    private static let readingGoal = 0.5

    /// What one side took for one text, round by round; for the first entry, for reading the tokenizer.
    private struct Times {
        var read: [Double] = []
        var encode: [Double] = []
        var decode: [Double] = []

        mutating func add(_ figures: TokenizerFigures) {
            read.append(figures.readSeconds)
            encode.append(figures.encodeSeconds)
            decode.append(figures.decodeSeconds)
        }
    }

    func measure(into report: BenchReport) async throws {
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        let directory = try tokenizer ?? MadeTokenizer.write(into: folder)
        let texts = try text.isEmpty ? MadeTexts.write(into: folder) : text
        var last: [TokenizerFigures] = []
        var ours: [Times] = []
        var theirs: [Times] = []
        for _ in 0..<options.rounds {
            last = try measure(directory, texts)
            if ours.isEmpty { (ours, theirs) = (last.map { _ in Times() }, last.map { _ in Times() }) }
            for (index, figures) in last.enumerated() { ours[index].add(figures) }
            guard let python = options.python else { continue }
            let peer = try TokenizerPeer.measure(
                python: python, tokenizer: directory, texts: texts, rounds: 1, folder: folder)
            for (index, figures) in peer.enumerated() {
                theirs[index].add(figures)
                guard figures.count == last[index].count, figures.checksum == last[index].checksum else {
                    throw BenchError("\(last[index].name): the ids differ from the peer's")
                }
            }
        }
        for (index, figures) in last.enumerated() {
            func peer(_ samples: [Double]) -> Samples? { samples.isEmpty ? nil : Samples(samples) }
            if figures.bytes == 0 {
                let size =
                    try FileManager.default.attributesOfItem(atPath: directory + "/tokenizer.json")[.size] as? Int
                report.add(
                    BenchRow(
                        name: "a tokenizer.json of \((size ?? 0) / 1_000_000) MB read", unit: "ms", better: .lower,
                        ours: Samples(ours[index].read.map { $0 * 1000 }),
                        peer: peer(theirs[index].read.map { $0 * 1000 }), peerName: "tokenizers",
                        goal: BenchRow.Goal(most: Self.readingGoal * 1000)))
                continue
            }
            let name = figures.name.split(separator: "/").last.map(String.init) ?? figures.name
            for (what, own, other) in [
                ("encoding", ours[index].encode, theirs[index].encode),
                ("decoding", ours[index].decode, theirs[index].decode),
            ] {
                func rates(_ seconds: [Double]) -> [Double] { seconds.map { Double(figures.bytes) / 1e6 / $0 } }
                report.add(
                    BenchRow(
                        name: "\(what) \(name), 1 thread", unit: "MB/s", ours: Samples(rates(own)),
                        peer: peer(rates(other)), peerName: "tokenizers", goal: BenchRow.Goal(ratio: 1)))
            }
        }
    }

    private func measure(_ directory: String, _ texts: [String]) throws -> [TokenizerFigures] {
        var reading = TokenizerFigures(name: "reading", bytes: 0)
        reading.readSeconds = try seconds { _ = try Tokenizer(modelDirectory: directory) }
        let tokenizer = try Tokenizer(modelDirectory: directory)
        return [reading]
            + (try texts.map { path in
                let text = try String(contentsOf: URL(filePath: path), encoding: .utf8)
                var figures = TokenizerFigures(name: path, bytes: text.utf8.count)
                var ids: [UInt32] = []
                figures.encodeSeconds = seconds { ids = tokenizer.encode(text, addSpecialTokens: false) }
                figures.decodeSeconds = seconds { _ = tokenizer.decode(ids, skipSpecialTokens: false) }
                figures.count = ids.count
                figures.checksum = TokenizerFigures.checksum(of: ids)
                return figures
            })
    }

    private func seconds(_ body: () throws -> Void) rethrows -> Double {
        try ContinuousClock().measure(body).seconds
    }
}
