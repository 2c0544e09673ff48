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

    /// Tokens of the sequence that were read.
    var readCount: Int { index.text.count }

    /// Takes in tokens that nobody guessed.
    mutating func read(_ tokens: some Sequence<UInt32>) {
        source = index.append(contentsOf: tokens) ?? source
    }

    /// Takes in a token that was generated, and sees whether the guess for it was right.
    mutating func follow(_ token: UInt32, common: inout DraftConfidence) {
        var following: NGramIndex.Match?
        if let source {
            let isRight = index.text[source.position] == token
            confidence.note(matchLength: source.length, isRight: isRight)
            common.note(matchLength: source.length, isRight: isRight)
            if isRight { following = .init(position: source.position + 1, length: source.length + 1) }
        }
        let found = index.append(contentsOf: CollectionOfOne(token))
        // What has been followed so far is left only for a longer match.
        source = if let following, following.length >= found?.length ?? 0 { following } else { found }
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
