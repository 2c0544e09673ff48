// The members that chat and text completions share: how to choose tokens, when to stop, how to answer.

import Wire

/// Read beside a request's own members, from the same JSON object.
struct SamplingFields: Decodable {
    var model: String?
    var temperature: Float?
    var topP: Float?
    var topK: Int?
    var minP: Float?
    var seed: Int64?
    var presencePenalty: Float?
    var frequencyPenalty: Float?
    var repetitionPenalty: Float?
    var logitBias: [LogitBias]
    /// Texts that end an answer.
    var stop: [String]
    var stopTokenIDs: [UInt32]
    var ignoreEndOfText: Bool
    /// Answers to each prompt.
    var choiceCount: Int
    var stream: Bool
    var includeUsage: Bool
    var returnTokenIDs: Bool

    /// Most answers to one prompt: each takes a place among the sequences.
    static let choicesMax = 64
    /// Most texts that end an answer; OpenAI's API allows four.
    static let stopTextsMax = 16
    /// Longest text that ends an answer, in bytes: text is held back while it could be the beginning of one.
    static let stopTextBytesMax = 1024

    init(from decoder: any Decoder) throws {
        let members = try decoder.container(keyedBy: MemberName.self)
        model = try members.read("model")
        temperature = try members.read("temperature", in: 0...100)
        topP = try members.read("top_p", in: 0...1)
        // vLLM writes -1 for all tokens.
        topK = try members.read("top_k", in: -1...1_000_000)
        minP = try members.read("min_p", in: 0...1)
        seed = try members.read("seed")
        presencePenalty = try members.read("presence_penalty", in: -2...2)
        frequencyPenalty = try members.read("frequency_penalty", in: -2...2)
        repetitionPenalty = try members.read("repetition_penalty", in: 0.01...100)
        choiceCount = try members.read("n", in: 1...Self.choicesMax) ?? 1
        stream = try members.read("stream") ?? false
        ignoreEndOfText = try members.read("ignore_eos") ?? false
        returnTokenIDs = try members.read("return_token_ids") ?? false
        stopTokenIDs = try members.read("stop_token_ids") ?? []
        stop = try Self.readStop(members)
        logitBias = try Self.readLogitBias(members)

        let options: StreamOptions? = try members.read("stream_options")
        if options != nil, !stream {
            throw APIError.invalid("stream_options", "stream_options needs stream to be true")
        }
        includeUsage = options?.includeUsage ?? false
    }

    private struct StreamOptions: Decodable {
        var includeUsage: Bool?
        enum CodingKeys: String, CodingKey { case includeUsage = "include_usage" }
    }

    private static func readStop(_ members: KeyedDecodingContainer<MemberName>) throws -> [String] {
        let texts: [String]
        if let one = try? members.decode(String.self, forKey: MemberName("stop")) {
            texts = [one]
        } else {
            texts = try members.read("stop") ?? []
        }
        guard texts.count <= stopTextsMax else {
            throw APIError.invalid("stop", "stop takes at most \(stopTextsMax) texts, not \(texts.count)")
        }
        for text in texts where text.isEmpty || text.utf8.count > stopTextBytesMax {
            throw APIError.invalid("stop", "each stop text must have from 1 to \(stopTextBytesMax) bytes")
        }
        return texts
    }

    private static func readLogitBias(_ members: KeyedDecodingContainer<MemberName>) throws -> [LogitBias] {
        let entries: [String: Float] = try members.read("logit_bias") ?? [:]
        guard entries.count <= WireLimits.logitBiasMax else {
            throw APIError.invalid("logit_bias", "logit_bias takes at most \(WireLimits.logitBiasMax) tokens")
        }
        return try entries.map { key, bias in
            guard let token = UInt32(key) else {
                throw APIError.invalid("logit_bias", "logit_bias maps token ids to numbers; '\(key)' is no token id")
            }
            guard (-100...100).contains(bias) else {
                throw APIError.invalid("logit_bias", "logit_bias must be from -100 to 100, not \(bias)")
            }
            return LogitBias(token: token, bias: bias)
        }.sorted { $0.token < $1.token }
    }
}

extension SamplingFields {
    /// How the ring is to choose tokens for the `choice`th answer.
    /// - Parameters:
    ///   - defaults: what the model's authors recommend where the client says nothing.
    ///   - baseSeed: the client's seed or one drawn for this request.
    func sampling(defaults: GenerationDefaults, baseSeed: UInt64, choice: Int, topLogprobs: Int?) -> Sampling {
        var sampling = Sampling()
        sampling.temperature = temperature ?? defaults.temperature ?? 1
        sampling.topP = topP ?? defaults.topP ?? 1
        sampling.topK = UInt32(max(0, topK ?? defaults.topK ?? 0))
        sampling.minP = minP ?? defaults.minP ?? 0
        sampling.repetitionPenalty = repetitionPenalty ?? defaults.repetitionPenalty ?? 1
        sampling.presencePenalty = presencePenalty ?? 0
        sampling.frequencyPenalty = frequencyPenalty ?? 0
        // Any odd step keeps the seeds of a request's answers apart.
        sampling.seed = baseSeed &+ UInt64(choice) &* 0x9E37_79B9_7F4A_7C15
        sampling.logprobs = topLogprobs != nil
        sampling.topLogprobs = UInt32(topLogprobs ?? 0)
        sampling.logitBias = logitBias
        return sampling
    }
}
