// Bias, penalties and bans on logits, which can be taken back.

/// Changes the logits that a request's bias, penalties and bans concern, and remembers what they were. The order is
/// vLLM's: bias, repetition, frequency, presence; what is banned stays banned.
struct LogitAdjustments {
    private var originals: [Candidate] = []

    mutating func apply(
        _ parameters: SamplingParameters, _ history: TokenHistory, to logits: UnsafeMutableBufferPointer<Float>
    ) {
        originals.removeAll(keepingCapacity: true)
        for entry in parameters.logitBias { change(entry.token, of: logits) { $0 + entry.bias } }
        if parameters.penalizes {
            for (token, occurrences) in history.occurrences {
                change(token, of: logits) { logit in
                    var logit = logit
                    if parameters.penalizesRepetition {
                        logit = logit > 0 ? logit / parameters.repetitionPenalty : logit * parameters.repetitionPenalty
                    }
                    if occurrences.output > 0 {
                        logit -= parameters.frequencyPenalty * Float(occurrences.output)
                        logit -= parameters.presencePenalty
                    }
                    return logit
                }
            }
        }
        for token in parameters.bannedTokens { change(token, of: logits) { _ in -.infinity } }
    }

    /// Puts every changed logit back.
    mutating func undo(on logits: UnsafeMutableBufferPointer<Float>) {
        // Last change first, since one token may have been changed twice.
        for original in originals.reversed() { logits[Int(original.id)] = original.logit }
        originals.removeAll(keepingCapacity: true)
    }

    private mutating func change(
        _ token: UInt32, of logits: UnsafeMutableBufferPointer<Float>, _ body: (Float) -> Float
    ) {
        guard token < logits.count else { return }
        let index = Int(token)
        originals.append(Candidate(id: token, logit: logits[index]))
        logits[index] = body(logits[index]).asLogit
    }
}

extension Float {
    /// Itself, without what would spoil a comparison or a sum: NaN becomes −∞, which is never chosen, +∞ the largest
    /// number.
    var asLogit: Float {
        isNaN ? -.infinity : Swift.min(self, .greatestFiniteMagnitude)
    }
}
