// The messages of the ring as values; proto/ring.proto says what each field is for.

/// One message with its payload, as it crosses a connection.
public struct Frame: Equatable, Sendable {
    public var message: Message
    /// Activations of a ``Step``, row-major `[row, hidden]` in the epoch's ``ActivationFormat``; empty for every
    /// other message.
    public var payload: [UInt8]

    public init(_ message: Message, payload: [UInt8] = []) {
        self.message = message
        self.payload = payload
    }
}

/// What a frame says.
public enum Message: Equatable, Sendable {
    case hello(Hello)
    case heartbeat(Heartbeat)
    case probe(Probe)
    case begin(Begin)
    case step(Step)
    case result(StepResult)
    case forget(Forget)
    case failure(Failure)
}

public enum Role: UInt32, Equatable, Sendable {
    case api = 1
    case shard = 2
}

/// The first frame of each side of a connection.
public struct Hello: Equatable, Sendable {
    public var protocolVersion: UInt32
    public var softwareVersion: String
    public var name: String
    public var role: Role

    public init(protocolVersion: UInt32 = WireLimits.protocolVersion, softwareVersion: String, name: String, role: Role)
    {
        self.protocolVersion = protocolVersion
        self.softwareVersion = softwareVersion
        self.name = name
        self.role = role
    }
}

/// Says on an idle connection that its sender lives.
public struct Heartbeat: Equatable, Sendable {
    public var sequenceNumber: UInt64

    public init(sequenceNumber: UInt64) {
        self.sequenceNumber = sequenceNumber
    }
}

/// Travels the ring and collects what each shard is.
public struct Probe: Equatable, Sendable {
    public var probeID: UInt64
    public var hops: UInt32
    public var shards: [ShardDescription]

    public init(probeID: UInt64, hops: UInt32 = 0, shards: [ShardDescription] = []) {
        self.probeID = probeID
        self.hops = hops
        self.shards = shards
    }
}

/// What a shard is and how it fares.
public struct ShardDescription: Equatable, Sendable {
    public var name: String = ""
    public var softwareVersion: String = ""
    /// `host:port` it listens on.
    public var address: String = ""
    /// `host:port` it passes frames to.
    public var nextAddress: String = ""
    /// ``WireLimits/fingerprintBytes`` bytes, equal for equal models.
    public var modelFingerprint: [UInt8] = []
    /// Layers of the whole model.
    public var layerCount: UInt32 = 0
    /// Layers it holds, ascending, not overlapping.
    public var layers: [ClosedRange<UInt32>] = []
    /// Most layers whose weights are in memory at once.
    public var windowLayers: UInt32 = 0
    public var weightBytes: UInt64 = 0
    public var cacheBytes: UInt64 = 0
    public var cacheBytesMax: UInt64 = 0
    public var residentBytes: UInt64 = 0
    public var threads: UInt32 = 0
    public var exact: Bool = false
    public var sequences: UInt32 = 0
    public var instructionSet: String = ""
    public var contextTokensMax: UInt32 = 0
    public var pass: PassStatistics = PassStatistics()

    public init() {}
}

/// What the latest step cost on a shard.
public struct PassStatistics: Equatable, Sendable {
    public var bytesRead: UInt64
    public var stallNanoseconds: UInt64
    public var computeNanoseconds: UInt64

    public init(bytesRead: UInt64 = 0, stallNanoseconds: UInt64 = 0, computeNanoseconds: UInt64 = 0) {
        self.bytesRead = bytesRead
        self.stallNanoseconds = stallNanoseconds
        self.computeNanoseconds = computeNanoseconds
    }
}

/// How hidden states are rounded after each layer and written into payloads.
public enum ActivationFormat: UInt32, Equatable, Sendable, CaseIterable {
    case f32 = 1
    case bf16 = 2

    public var bytesPerElement: Int { self == .f32 ? 4 : 2 }
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
    /// How to choose the token after the run; `nil` when none is wanted.
    public var sampling: Sampling?
    /// Tokens of the sequence that are prompt.
    public var promptCount: UInt32
    public var promptLogprobs: PromptLogprobs?

    public init(
        sequenceID: UInt64, position: UInt32, tokens: [UInt32], sampling: Sampling? = nil, promptCount: UInt32,
        promptLogprobs: PromptLogprobs? = nil
    ) {
        self.sequenceID = sequenceID
        self.position = position
        self.tokens = tokens
        self.sampling = sampling
        self.promptCount = promptCount
        self.promptLogprobs = promptLogprobs
    }
}

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
    /// Of the sampled token: the run's position plus its token count.
    public var position: UInt32
    public var sampled: TokenChoice?
    /// One for each prompt token whose log-probability was asked for, in order.
    public var prompt: [TokenChoice]

    public init(sequenceID: UInt64, position: UInt32, sampled: TokenChoice?, prompt: [TokenChoice] = []) {
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

/// Drops sequences from every shard's cache.
public struct Forget: Equatable, Sendable {
    public var epoch: UInt64
    public var sequenceIDs: [UInt64]
    public var hops: UInt32

    public init(epoch: UInt64, sequenceIDs: [UInt64], hops: UInt32 = 0) {
        self.epoch = epoch
        self.sequenceIDs = sequenceIDs
        self.hops = hops
    }
}

public enum FailureKind: UInt32, Equatable, Sendable {
    case version = 1
    case malformed = 2
    case checksum = 3
    case staleEpoch = 4
    case gap = 5
    case model = 6
    case unheldLayer = 7
    case brokenRing = 8
    case memory = 9
    case compute = 10
    case loading = 11
}

/// Something that concerns a request or the ring went wrong; travels backward to the API.
public struct Failure: Error, Equatable, Sendable {
    public var kind: FailureKind
    /// One sentence for people.
    public var reason: String
    /// Name of the daemon that found it.
    public var shard: String
    public var epoch: UInt64
    public var stepID: UInt64
    public var sequenceID: UInt64
    public var probeID: UInt64

    public init(
        kind: FailureKind, reason: String, shard: String, epoch: UInt64 = 0, stepID: UInt64 = 0, sequenceID: UInt64 = 0,
        probeID: UInt64 = 0
    ) {
        self.kind = kind
        self.reason = reason
        self.shard = shard
        self.epoch = epoch
        self.stepID = stepID
        self.sequenceID = sequenceID
        self.probeID = probeID
    }
}
