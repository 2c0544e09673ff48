// What the HTTP side asks of the ring: tokens for a prompt, and how the ring is.

public import Wire

/// Turns prompts into streams of tokens. ``RingCoordinator`` is the one that does it over a ring of shards.
public protocol TokenGenerator: Sendable {
    /// Admits a request and starts it.
    ///
    /// Ending the returned stream early (dropping its iterator or cancelling its task) stops the generation on every
    /// shard at once.
    /// - Throws: ``GenerationRefusal`` when the request cannot be admitted now. A failure after admission ends the
    ///   stream with a ``GenerationFailure``.
    func generate(
        _ request: GenerationRequest
    ) throws(GenerationRefusal) -> AsyncThrowingStream<GenerationEvent, any Error>

    /// The state of the ring at this moment.
    func status() -> RingStatus

    /// Longest sequence, prompt and answer together, in tokens.
    var contextTokensMax: Int { get }
}

/// One sequence to generate.
public struct GenerationRequest: Sendable {
    /// For logs, the same on every line about this request.
    public var requestID: String
    /// At least one token.
    public var prompt: [UInt32]
    public var sampling: Sampling
    /// Most tokens to generate. 0 only evaluates the prompt.
    public var tokensMax: Int
    /// Tokens that end the generation. The one that did is not part of the text.
    public var stopTokens: Set<UInt32>
    /// Alternatives wanted for each prompt token; `nil` asks for no log-probabilities of the prompt.
    public var promptLogprobs: Int?
    /// What the client expects the answer to be: a source of guesses, which changes no token.
    public var prediction: [UInt32]
    /// Whether tokens may be guessed ahead, where the API does.
    public var mayDraft = true

    public init(
        requestID: String, prompt: [UInt32], sampling: Sampling, tokensMax: Int, stopTokens: Set<UInt32>,
        promptLogprobs: Int? = nil, prediction: [UInt32] = []
    ) {
        self.requestID = requestID
        self.prompt = prompt
        self.sampling = sampling
        self.tokensMax = tokensMax
        self.stopTokens = stopTokens
        self.promptLogprobs = promptLogprobs
        self.prediction = prediction
    }
}

public enum GenerationEvent: Equatable, Sendable {
    /// The prompt is evaluated. `choices` holds the log-probability of each prompt token but the first, in order, when
    /// they were asked for. `cachedTokens` first tokens were not computed, but taken from another sequence's cache.
    case prompt(choices: [TokenChoice], cachedTokens: Int = 0)
    /// So many tokens of the answer, with the one that comes next, are as the request predicted.
    case predicted(Int)
    case token(TokenChoice)
    /// The last event.
    case finished(GenerationEnd)
}

public enum GenerationEnd: Equatable, Sendable {
    /// `tokensMax` tokens were generated, or the context is full.
    case length
    /// One of the stop tokens was chosen.
    case stopToken(UInt32)
}

/// Why a request was not admitted.
public enum GenerationRefusal: Error, Equatable, Sendable {
    /// The ring is not complete; the sentence says what is missing and what to do.
    case ringNotReady(String)
    /// The prompt and the tokens asked for do not fit the context.
    case contextExceeded(promptTokens: Int, tokensMax: Int, contextTokensMax: Int)
    /// Every place in the queue is taken.
    case busy(waiting: Int)
    /// A token id that the model does not know, an empty prompt, or sampling beyond the limits of the wire.
    case invalidPrompt(String)
}

/// Why a generation ended before its end.
public struct GenerationFailure: Error, Equatable, Sendable {
    /// One sentence for the client, with what to do.
    public var reason: String
    /// The daemon that reported it, where known.
    public var shard: String?

    public init(reason: String, shard: String? = nil) {
        self.reason = reason
        self.shard = shard
    }
}

/// How the ring is.
public struct RingStatus: Equatable, Sendable {
    public enum State: Equatable, Sendable {
        /// Serving.
        case ready
        /// Not serving; the sentence says what is missing and what to do.
        case incomplete(String)
    }

    public var state: State
    /// The shards in ring order as they last described themselves.
    public var shards: [ShardDescription]
    public var epoch: UInt64
    /// Sequences being generated and waiting to be.
    public var active: Int
    public var waiting: Int
    /// Layers of the model.
    public var layerCount: Int
    /// Times a step goes round the ring; 0 while it is incomplete.
    public var rounds: Int
    /// Shards that hold layers; 0 while the ring is incomplete.
    public var stages: Int
    /// Longest sequence, prompt and answer together, in tokens.
    public var contextTokensMax: Int
    /// Sequences that ended and whose caches are kept, and tokens in the caches of these and of those being generated.
    public var prefixesKept: Int
    public var tokensHeld: Int
    public var metrics: RingMetrics

    public init(
        state: State, shards: [ShardDescription], epoch: UInt64, active: Int, waiting: Int, layerCount: Int,
        rounds: Int = 1, stages: Int = 1, contextTokensMax: Int = 0, prefixesKept: Int = 0,
        tokensHeld: Int = 0, metrics: RingMetrics = RingMetrics()
    ) {
        self.state = state
        self.shards = shards
        self.epoch = epoch
        self.active = active
        self.waiting = waiting
        self.layerCount = layerCount
        self.rounds = rounds
        self.stages = stages
        self.contextTokensMax = contextTokensMax
        self.prefixesKept = prefixesKept
        self.tokensHeld = tokensHeld
        self.metrics = metrics
    }
}
