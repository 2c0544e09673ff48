// How much work the API takes on at a time.

import Wire

/// Bounds of the ``Scheduler``. Beyond them a request waits, and beyond ``waitingMax`` it is refused.
public struct SchedulerLimits: Equatable, Sendable {
    /// Sequences whose caches the shards hold at the same time. With a context of 4,096 tokens and 64 KiB a token over
    /// all shards, 64 full ones take 16 GiB.
    public var sequencesActiveMax = 64
    /// Sequences that wait for a place. Four times the active ones: the last of them has its turn after a few
    /// completions.
    public var waitingMax = 256
    /// Most tokens in one step. Kernels reach their full rate with far fewer rows; more only delays who waits behind.
    public var rowsPerStepMax = 512
    /// Steps on the ring at the same time; `nil`: one for each shard that holds layers, so that all work.
    public var stepsInFlight: Int?
    /// Times a sequence is replayed after the ring broke without having got a token in between. Bounds what a request
    /// can cost that breaks the ring each time.
    public var replaysMax = 3
    /// Ended sequences whose caches the shards keep for requests that begin the same, as far as their memory goes; 0:
    /// every request is computed from its start.
    public var prefixesMax = 256

    public init() {}
}

/// What the scheduler must know of the model.
public struct ModelShape: Equatable, Sendable {
    /// Columns of the activations.
    public var hiddenSize: Int
    /// Token ids are below it.
    public var vocabularySize: Int
    /// Tokens of a sequence, prompt and generated together.
    public var contextTokensMax: Int

    public init(hiddenSize: Int, vocabularySize: Int, contextTokensMax: Int) {
        self.hiddenSize = hiddenSize
        self.vocabularySize = vocabularySize
        self.contextTokensMax = contextTokensMax
    }
}
