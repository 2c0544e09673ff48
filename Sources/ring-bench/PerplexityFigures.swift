// Texts that a model is asked to tell, and how well one way of computing tells them beside another.

import FoundationEssentials
import Glibc

/// Tokens, some of which are only given: a model that was trained on answers is nearly sure of them, not of questions.
struct ToldText {
    var tokens: [UInt32] = []
    /// Indices of the tokens that are told.
    var told: [Int] = []

    mutating func append(_ piece: [UInt32], isTold: Bool) {
        if isTold { told += tokens.count..<tokens.count + piece.count }
        tokens += piece
    }
}

/// For each token of all texts but the first of each: how likely it was, as a natural logarithm, and what was
/// likeliest in its place.
struct Telling {
    var logProbabilities: [Double] = []
    var likeliest: [UInt32] = []
}

struct PerplexityFigures: Encodable {
    let weights: String
    let mode: String
    /// Of the tokens that are told, and its change relative to the base.
    let toldPerplexity: Double
    let toldChange: Double
    /// Of all tokens.
    let perplexity: Double
    let change: Double
    /// Differences of all tokens' log-probabilities from the base: root of their mean square, and the largest.
    let differenceRMS: Double
    let differenceMax: Double
    /// Fraction of all tokens in whose place the same token is likeliest.
    let sameLikeliest: Double

    init(weights: String, mode: String, _ telling: Telling, of texts: [ToldText], base: Telling) {
        self.weights = weights
        self.mode = mode
        var told: [Int] = []
        var first = 0
        for text in texts {
            // A text's first token is not told, so everything lies one before.
            told += text.told.map { first + $0 - 1 }
            first += text.tokens.count - 1
        }
        toldPerplexity = Self.perplexity(told.map { telling.logProbabilities[$0] })
        toldChange = toldPerplexity / Self.perplexity(told.map { base.logProbabilities[$0] }) - 1
        perplexity = Self.perplexity(telling.logProbabilities)
        change = perplexity / Self.perplexity(base.logProbabilities) - 1
        let differences = zip(telling.logProbabilities, base.logProbabilities).map { $0 - $1 }
        let count = Double(differences.count)
        differenceRMS = (differences.reduce(0) { $0 + $1 * $1 } / count).squareRoot()
        differenceMax = differences.reduce(0) { max($0, abs($1)) }
        sameLikeliest = Double(zip(telling.likeliest, base.likeliest).count { $0 == $1 }) / count
    }

    private static func perplexity(_ logProbabilities: [Double]) -> Double {
        exp(-logProbabilities.reduce(0, +) / Double(logProbabilities.count))
    }

    private static let columns = [
        ("weights", 9), ("computed by", 17), ("told: perplexity, change", 24), ("all: perplexity, change", 24),
        ("log-probability: rms, largest", 29), ("same likeliest", 14),
    ]

    static let heading =
        columns.map { "| \($0.leftAligned($1)) " }.joined() + "|\n"
        + columns.map { "| \(String(repeating: "-", count: $1)) " }.joined() + "|"

    var line: String {
        let cells = [
            weights, mode,
            toldPerplexity.column(11, decimals: 6) + (toldChange * 100).column(11, decimals: 4) + " %",
            perplexity.column(11, decimals: 4) + (change * 100).column(11, decimals: 4) + " %",
            differenceRMS.column(16, decimals: 5) + differenceMax.column(13, decimals: 4),
            (sameLikeliest * 100).column(12, decimals: 2) + " %",
        ]
        return zip(cells, Self.columns).map { "| \($0.leftAligned($1.1)) " }.joined() + "|"
    }

    static func write(_ rows: [PerplexityFigures], to path: String) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
        try encoder.encode(rows).write(to: URL(filePath: path))
    }
}
