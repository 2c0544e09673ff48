// What comes of a step.

/// What the shard with the last layer answers to a step.
public struct StepResult: Equatable, Sendable {
    public var epoch: UInt64
    public var stepID: UInt64
    public var hops: UInt32
    public var runs: [RunResult]
    /// Spent in embedding, layers, head and sampling over all shards.
    public var computeNanoseconds: UInt64

    public init(
        epoch: UInt64, stepID: UInt64, hops: UInt32 = 0, runs: [RunResult], computeNanoseconds: UInt64 = 0
    ) {
        self.epoch = epoch
        self.stepID = stepID
        self.hops = hops
        self.runs = runs
        self.computeNanoseconds = computeNanoseconds
    }
}

public struct RunResult: Equatable, Sendable {
    public var sequenceID: UInt64
    /// Of the first sampled token: the run's position plus its tokens that are no drafts.
    public var position: UInt32
    /// None where none was asked for, else one and one more for each draft that was right: all but the last are the
    /// run's first drafts.
    public var sampled: [TokenChoice]
    /// One for each prompt token whose log-probability was asked for, in order.
    public var prompt: [TokenChoice]

    public init(sequenceID: UInt64, position: UInt32, sampled: [TokenChoice] = [], prompt: [TokenChoice] = []) {
        self.sequenceID = sequenceID
        self.position = position
        self.sampled = sampled
        self.prompt = prompt
    }
}

/// A token with its log-probability (natural, before penalties and temperature) and the alternatives asked for,
/// likeliest first.
public struct TokenChoice: Equatable, Sendable {
    public var token: UInt32
    public var logprob: Float
    public var top: [TokenLogprob]

    public init(token: UInt32, logprob: Float, top: [TokenLogprob] = []) {
        self.token = token
        self.logprob = logprob
        self.top = top
    }
}

public struct TokenLogprob: Equatable, Sendable {
    public var token: UInt32
    public var logprob: Float

    public init(token: UInt32, logprob: Float) {
        self.token = token
        self.logprob = logprob
    }
}
