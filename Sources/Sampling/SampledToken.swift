// A token, how likely it was, and what else was likely.

/// A chosen token with log-probabilities. They are natural logarithms of the softmax of the model's own logits, before
/// bias, penalties and temperature.
public struct SampledToken: Equatable, Sendable {
    public var id: UInt32
    /// At least ``logprobMin``.
    public var logprob: Float
    /// The alternatives asked for, likeliest first, equally likely ones by id.
    public var top: [TokenLogprob]

    /// What an impossible token gets: JSON has no infinity, and vLLM reports the same.
    public static let logprobMin: Float = -9999

    public init(id: UInt32, logprob: Float, top: [TokenLogprob] = []) {
        self.id = id
        self.logprob = logprob
        self.top = top
    }
}

/// A token and its log-probability.
public struct TokenLogprob: Equatable, Sendable {
    public var id: UInt32
    public var logprob: Float

    public init(id: UInt32, logprob: Float) {
        self.id = id
        self.logprob = logprob
    }
}
