// How a token is chosen.

/// What a request says about choosing its tokens. Values out of range switch a filter off rather than fail; the API
/// refuses them first.
public struct SamplingParameters: Equatable, Sendable {
    /// Logits are divided by it. Below ``greedyTemperatureMax`` (0, usually) the likeliest token is taken.
    public var temperature: Float = 0
    /// Only this many likeliest tokens; 0 for all.
    public var topK: Int = 0
    /// Only the likeliest tokens that together reach this probability; 1 for all.
    public var topP: Float = 1
    /// Only tokens at least this fraction as likely as the likeliest; 0 for all.
    public var minP: Float = 0
    /// The choice depends on it and on the token's position, on nothing else that is random.
    public var seed: UInt64 = 0
    /// Subtracted from the logit of each token generated before.
    public var presencePenalty: Float = 0
    /// Subtracted from a token's logit as often as it was generated before.
    public var frequencyPenalty: Float = 0
    /// Divides positive logits, and multiplies negative ones, of tokens in the prompt or generated before; 1 for none.
    public var repetitionPenalty: Float = 1
    /// How many alternatives to report with their log-probabilities; `nil` for none.
    public var topLogprobs: Int?
    /// Added to logits, before penalties. −∞ forbids a token.
    public var logitBias: [(token: UInt32, bias: Float)] = []
    /// Never chosen.
    public var bannedTokens: [UInt32] = []

    /// What is colder than this is taken for greedy, as vLLM does: logits divided by it would leave one token anyway.
    public static let greedyTemperatureMax: Float = 1e-5

    public init() {}

    public static func == (a: Self, b: Self) -> Bool {
        a.temperature == b.temperature && a.topK == b.topK && a.topP == b.topP && a.minP == b.minP && a.seed == b.seed
            && a.presencePenalty == b.presencePenalty && a.frequencyPenalty == b.frequencyPenalty
            && a.repetitionPenalty == b.repetitionPenalty && a.topLogprobs == b.topLogprobs
            && a.logitBias.elementsEqual(b.logitBias, by: ==) && a.bannedTokens == b.bannedTokens
    }

    var isGreedy: Bool { !(temperature.isFinite && temperature >= Self.greedyTemperatureMax) }
    /// NaN compares false and so switches off, here and below.
    var filtersTopP: Bool { topP < 1 }
    var filtersMinP: Bool { minP > 0 }
    var penalizes: Bool { presencePenalty != 0 || frequencyPenalty != 0 || penalizesRepetition }
    var penalizesRepetition: Bool { repetitionPenalty > 0 && repetitionPenalty != 1 }
    var changesLogits: Bool { penalizes || !logitBias.isEmpty || !bannedTokens.isEmpty }
}
