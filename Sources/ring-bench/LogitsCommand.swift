// How far the logits of the default mode are from those in float32.

import ArgumentParser
import FoundationEssentials
import Glibc
import Tensors

struct LogitsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "logits", abstract: "Errors of the default mode's logits beside --exact, in this process.")

    @Argument(help: ArgumentHelp("Model directories.", valueName: "dir"))
    var models: [String]

    @Option(help: ArgumentHelp("Tokens that are read, made up.", valueName: "count"))
    var tokens = 256

    @Option(help: ArgumentHelp("Threads that compute.", valueName: "count"))
    var threads = 1

    @Option(help: ArgumentHelp("Also write the figures to this file, as JSON.", valueName: "file"))
    var json: String?

    private static let modes: [(name: String, cache: CacheType?)] = [("default", nil), ("--kv-bits 8", .int8)]

    func validate() throws {
        guard 2...4096 ~= tokens else { throw ValidationError("--tokens takes 2 to 4096") }
        guard 1...256 ~= threads else { throw ValidationError("--threads takes 1 to 256") }
    }

    func run() throws {
        print("\(tokens) tokens; errors of the logits beside --exact, rms in deviations of the logits")
        print(LogitErrors.heading)
        var rows: [LogitErrors] = []
        for directory in models {
            let model = try WholeModel(directory: directory)
            let prompt = (0..<tokens).map { UInt32(($0 * 7919 + $0 * $0 * 31 + 11) % model.vocabularySize) }
            let exact = try model.logits(after: prompt, precision: .exact, threads: threads)
            for mode in Self.modes {
                let rounded = try model.logits(
                    after: prompt, precision: .standard, cacheType: mode.cache, threads: threads)
                let name = URL(filePath: directory).lastPathComponent
                let row = LogitErrors(model: name, mode: mode.name, rounded, exact: exact)
                print(row.line)
                rows.append(row)
            }
        }
        if let json {
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
            try encoder.encode(rows).write(to: URL(filePath: json))
        }
    }
}

/// Over all tokens of a text.
struct LogitErrors: Encodable {
    let model: String
    let mode: String
    /// Largest difference of a logit.
    let largest: Float
    /// Root of the mean square of the differences, as a fraction of the exact logits' standard deviation.
    let relativeRMS: Double
    /// Kullback–Leibler divergence of the next token's distribution from the exact one, in nats: mean and largest.
    let divergence: Double
    let divergenceMax: Double
    /// Fraction of the tokens after which the same token is likeliest.
    let sameLikeliest: Double

    init(model: String, mode: String, _ logits: [[Float]], exact: [[Float]]) {
        self.model = model
        self.mode = mode
        var (largest, squares, variances, same) = (Float(0), 0.0, 0.0, 0)
        var divergences: [Double] = []
        for (row, reference) in zip(logits, exact) {
            let count = Double(reference.count)
            let mean = reference.reduce(0) { $0 + Double($1) } / count
            for (value, wanted) in zip(row, reference) {
                largest = max(largest, abs(value - wanted))
                squares += pow(Double(value - wanted), 2) / count
                variances += pow(Double(wanted) - mean, 2) / count
            }
            let (p, q) = (Self.logProbabilities(reference), Self.logProbabilities(row))
            divergences.append(zip(p, q).reduce(0) { $0 + exp($1.0) * ($1.0 - $1.1) })
            if p.indices.max(by: { p[$0] < p[$1] }) == q.indices.max(by: { q[$0] < q[$1] }) { same += 1 }
        }
        self.largest = largest
        relativeRMS = (squares / variances).squareRoot()
        divergence = divergences.reduce(0, +) / Double(exact.count)
        divergenceMax = divergences.max() ?? 0
        sameLikeliest = Double(same) / Double(exact.count)
    }

    private static func logProbabilities(_ logits: [Float]) -> [Double] {
        let highest = Double(logits.max() ?? 0)
        let sum = log(logits.reduce(0) { $0 + exp(Double($1) - highest) }) + highest
        return logits.map { Double($0) - sum }
    }

    static let heading = """
        | model                | mode        |  largest |      rms | KL, mean | KL, largest | same likeliest |
        | -------------------- | ----------- | -------: | -------: | -------: | ----------: | -------------: |
        """

    var line: String {
        "| \(model.leftAligned(20)) | \(mode.leftAligned(11)) |" + Double(largest).column(9, decimals: 4) + " |"
            + relativeRMS.column(9, decimals: 5) + " |" + divergence.column(9, decimals: 6) + " |"
            + divergenceMax.column(12, decimals: 5) + " |" + (sameLikeliest * 100).column(13, decimals: 1) + " % |"
    }
}
