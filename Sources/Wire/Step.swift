// A pass through the model, and the epoch it belongs to.

/// One pass through the model for the rows of many sequences.
public struct Step: Equatable, Sendable {
    public var epoch: UInt64
    public var stepID: UInt64
    public var nextLayer: UInt32
    public var hops: UInt32
    public var runs: [SequenceRun]
    /// XXH3 of the frame's payload.
    public var checksum: UInt64
    /// Columns of the payload; 0 before the embedding.
    public var hiddenSize: UInt32
    /// Spent in layers so far, over all shards.
    public var computeNanoseconds: UInt64

    public init(
        epoch: UInt64, stepID: UInt64, nextLayer: UInt32 = 0, hops: UInt32 = 0, runs: [SequenceRun],
        checksum: UInt64 = 0,
        hiddenSize: UInt32 = 0, computeNanoseconds: UInt64 = 0
    ) {
        self.epoch = epoch
        self.stepID = stepID
        self.nextLayer = nextLayer
        self.hops = hops
        self.runs = runs
        self.checksum = checksum
        self.hiddenSize = hiddenSize
        self.computeNanoseconds = computeNanoseconds
    }

    /// Tokens over all runs: the rows of the payload.
    public var rowCount: Int { runs.reduce(0) { $0 + $1.tokens.count } }
}

/// A stretch of one sequence inside a step.
public struct SequenceRun: Equatable, Sendable {
    public var sequenceID: UInt64
    /// Of the first token in its sequence.
    public var position: UInt32
    public var tokens: [UInt32]
    /// Of ``tokens``, the last ones that are only guessed. The token after the run's other tokens is sampled first;
    /// each draft that turns out the same stands, and the token after it is sampled too, up to the first that differs.
    public var draftCount: Int
    /// How to choose the token after the run; `nil` when none is wanted.
    public var sampling: Sampling?
    /// Tokens of the sequence that are prompt.
    public var promptCount: UInt32
    public var promptLogprobs: PromptLogprobs?
    /// A sequence whose tokens before ``position`` are this one's too, to be taken from its cache where this one's is
    /// shorter.
    public var parentID: UInt64?

    public init(
        sequenceID: UInt64, position: UInt32, tokens: [UInt32], draftCount: Int = 0, sampling: Sampling? = nil,
        promptCount: UInt32, promptLogprobs: PromptLogprobs? = nil, parentID: UInt64? = nil
    ) {
        self.sequenceID = sequenceID
        self.position = position
        self.tokens = tokens
        self.draftCount = draftCount
        self.sampling = sampling
        self.promptCount = promptCount
        self.promptLogprobs = promptLogprobs
        self.parentID = parentID
    }

    /// The tokens that the sequence has.
    public var settledTokens: ArraySlice<UInt32> { tokens.dropLast(draftCount) }
    /// The tokens that are guessed to follow.
    public var drafts: ArraySlice<UInt32> { tokens.suffix(draftCount) }
}

/// Asks for the log-probability of the token after each row of a run.
public struct PromptLogprobs: Equatable, Sendable {
    /// Alternatives wanted beside each token.
    public var top: UInt32
    /// The token after the run's last one, where there is one.
    public var nextToken: UInt32?

    public init(top: UInt32, nextToken: UInt32?) {
        self.top = top
        self.nextToken = nextToken
    }
}

/// Opens an epoch.
public struct Begin: Equatable, Sendable {
    public var epoch: UInt64
    public var hops: UInt32
    public var modelFingerprint: [UInt8]
    public var activations: ActivationFormat

    public init(epoch: UInt64, hops: UInt32 = 0, modelFingerprint: [UInt8], activations: ActivationFormat) {
        self.epoch = epoch
        self.hops = hops
        self.modelFingerprint = modelFingerprint
        self.activations = activations
    }
}

/// How hidden states are rounded after each layer and written into payloads.
public enum ActivationFormat: UInt32, Equatable, Sendable, CaseIterable {
    case f32 = 1
    case bf16 = 2

    public var bytesPerElement: Int { self == .f32 ? 4 : 2 }
}
