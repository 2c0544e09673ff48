// How often guesses turn out right, by how long the match was that they came from.

/// Observed frequencies, with what is older counting less.
///
/// Whether a guess would have been right is known after every token, whether or not it was sent as a draft: so a text
/// that begins to repeat is noticed without trying.
struct DraftConfidence: Equatable {
    /// Shortest match of each class.
    private static let matchLengths = [1, 2, 3, 4, 6, 9, 14, 24, 48]
    /// What is assumed before anything was seen: the longer a match, the surer what follows.
    private static let assumed: [Float] = [0.1, 0.25, 0.4, 0.55, 0.7, 0.8, 0.85, 0.9, 0.95]
    /// Observations that the assumption weighs as much as.
    private static let assumedWeight: Float = 8
    /// Observations that the frequency over all sequences weighs as much as beside a sequence's own.
    private static let commonWeight: Float = 4

    private var tried = [Float](repeating: 0, count: matchLengths.count)
    private var right = [Float](repeating: 0, count: matchLengths.count)
    /// Standard deviations that are taken off a frequency: guesses are seen to be right without being sent, so it costs
    /// little to wait for a few more, and a row for a wrong one is lost.
    private static let doubt: Float = 0.7
    /// What an observation still counts after the next.
    private let memory: Float

    /// - Parameter observations: of one class that count, about.
    init(observations: Float) {
        memory = 1 - 1 / observations
    }

    mutating func note(matchLength: Int, isRight: Bool) {
        let index = Self.index(of: matchLength)
        tried[index] = tried[index] * memory + 1
        right[index] = right[index] * memory + (isRight ? 1 : 0)
    }

    /// The probability that a guess is right, as far as it can be relied on.
    /// - Parameter common: observations of all sequences.
    func probability(matchLength: Int, common: DraftConfidence) -> Double {
        let index = Self.index(of: matchLength)
        let assumed = Self.assumed[index] * Self.assumedWeight
        let expected = (common.right[index] + assumed) / (common.tried[index] + Self.assumedWeight)
        let weight = tried[index] + Self.commonWeight
        let mean = (right[index] + Self.commonWeight * expected) / weight
        return Double(max(0, mean - Self.doubt * (mean * (1 - mean) / weight).squareRoot()))
    }

    private static func index(of matchLength: Int) -> Int {
        (matchLengths.lastIndex { $0 <= matchLength }) ?? 0
    }
}
