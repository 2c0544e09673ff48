// How a token is chosen.

/// How a token is chosen.
public struct Sampling: Equatable, Sendable {
    public var temperature: Float = 0
    public var topK: UInt32 = 0
    public var topP: Float = 1
    public var minP: Float = 0
    public var seed: UInt64 = 0
    public var presencePenalty: Float = 0
    public var frequencyPenalty: Float = 0
    public var repetitionPenalty: Float = 1
    public var logprobs: Bool = false
    public var topLogprobs: UInt32 = 0
    public var logitBias: [LogitBias] = []
    public var bannedTokens: [UInt32] = []

    public init() {}
}

public struct LogitBias: Equatable, Sendable {
    public var token: UInt32
    public var bias: Float

    public init(token: UInt32, bias: Float) {
        self.token = token
        self.bias = bias
    }
}
