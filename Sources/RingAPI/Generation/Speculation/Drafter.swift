// Guesses how one sequence goes on, from where its latest tokens stood before.

/// Prompt lookup: the tokens that followed an earlier occurrence of the latest ones are guessed to follow again, as
/// they do where an answer quotes its prompt, edits code or repeats itself.
struct Drafter {
    /// Guesses of one class that confidence rests on: few enough to follow a text that changes its ways.
    private static let observationsCounting: Float = 64

    private var index = NGramIndex()
    private var confidence = DraftConfidence(observations: observationsCounting)
    /// Where the next token is guessed to be a copy from.
    private var source: NGramIndex.Match?
    /// What the client expects, until it is read.
    private var prediction: [UInt32]
    /// Where it stands in the text that was read.
    private var predicted = 0..<0
    /// Generated tokens that followed in the prediction where they were expected.
    private(set) var predictedCount = 0

    /// A prediction's beginning is trusted like a match of so many tokens.
    private static let predictionMatchLength = 8

    /// - Parameter prediction: what is expected to be generated; may be empty.
    init(prediction: [UInt32] = []) {
        self.prediction = prediction
    }

    /// Tokens of the sequence that were read.
    var readCount: Int { index.text.count - predicted.count }

    /// Takes in tokens that nobody guessed.
    mutating func read(_ tokens: some Sequence<UInt32>) {
        source = index.append(contentsOf: tokens) ?? source
    }

    /// The prompt has been read: what is generated next is expected to begin as predicted. Later calls do nothing.
    mutating func endPrompt() {
        guard !prediction.isEmpty else { return }
        predicted = index.text.count..<index.text.count + prediction.count
        index.append(contentsOf: prediction)
        source = NGramIndex.Match(position: predicted.lowerBound, length: Self.predictionMatchLength)
        prediction = []
    }

    /// Takes in a token that was generated, and sees whether the guess for it was right.
    mutating func follow(_ token: UInt32, common: inout DraftConfidence) {
        var following: NGramIndex.Match?
        if let source {
            let isRight = index.text[source.position] == token
            confidence.note(matchLength: source.length, isRight: isRight)
            common.note(matchLength: source.length, isRight: isRight)
            if isRight {
                if predicted.contains(source.position) { predictedCount += 1 }
                // What stands behind the prediction does not follow from it.
                let next = source.position + 1
                if next != predicted.upperBound { following = .init(position: next, length: source.length + 1) }
            }
        }
        var found = index.append(contentsOf: CollectionOfOne(token))
        if let match = found, !predicted.isEmpty, match.position == predicted.upperBound { found = nil }
        // What has been followed so far is left only for a longer match.
        source = if let following, following.length >= found?.length ?? 0 { following } else { found }
    }

    /// Most tokens that can be guessed now.
    var guessesMax: Int {
        guard let source else { return 0 }
        return predicted.contains(source.position) ? predicted.upperBound - source.position : .max
    }

    /// Length of the match that guesses come from; 0 for none.
    var matchLength: Int { source?.length ?? 0 }

    /// The probability that the `number`th guess is right if those before it are, counted from 0.
    func probability(ofGuess number: Int, common: DraftConfidence) -> Double {
        guard let source else { return 0 }
        return confidence.probability(matchLength: source.length + number, common: common)
    }

    /// The tokens guessed to follow; none where nothing matches.
    func guesses(_ count: Int) -> [UInt32] {
        guard let source else { return [] }
        var guesses: [UInt32] = []
        guesses.reserveCapacity(count)
        for position in source.position..<source.position + count {
            // A text that repeats itself at a distance shorter than the guess goes on from the guess.
            let beyond = position - index.text.count
            guesses.append(beyond < 0 ? index.text[position] : guesses[beyond])
        }
        return guesses
    }
}
