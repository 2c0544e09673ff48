// POST /v1/completions, as a client writes it.

import Wire

/// OpenAI's text completion, with vLLM's `ignore_eos`, `return_token_ids` and prompts of token ids.
struct CompletionRequest: Decodable {
    enum Prompt: Equatable {
        case text(String)
        case tokens([UInt32])
    }

    var prompts: [Prompt]
    var tokensMax: Int
    var echo: Bool
    /// Alternatives wanted for each token; `nil` for no log-probabilities.
    var logprobs: Int?
    var sampling: SamplingFields

    /// Most prompts in one request.
    static let promptsMax = 64
    /// What OpenAI's API generates when the client says nothing.
    static let tokensDefault = 16

    init(from decoder: any Decoder) throws {
        let members = try decoder.container(keyedBy: MemberName.self)
        sampling = try SamplingFields(from: decoder)
        echo = try members.read("echo") ?? false
        logprobs = try members.read("logprobs", in: 0...WireLimits.topLogprobsMax)
        // With echo, 0 asks for the prompt alone.
        tokensMax = try members.read("max_tokens", in: (echo ? 0 : 1)...Int.max) ?? Self.tokensDefault
        prompts = try Self.readPrompts(members)
        if sampling.stream, echo, logprobs != nil {
            throw APIError.invalid("echo", "echo with logprobs cannot be streamed; leave out stream")
        }
    }

    /// A text, token ids, or an array of either.
    private static func readPrompts(_ members: KeyedDecodingContainer<MemberName>) throws -> [Prompt] {
        let key = MemberName("prompt")
        guard members.contains(key) else { throw APIError.invalid("prompt", "prompt is required") }
        let prompts: [Prompt]
        if let text = try? members.decode(String.self, forKey: key) {
            prompts = [.text(text)]
        } else if let texts = try? members.decode([String].self, forKey: key) {
            prompts = texts.map(Prompt.text)
        } else if let tokens = try? members.decode([UInt32].self, forKey: key) {
            prompts = [.tokens(tokens)]
        } else if let several = try? members.decode([[UInt32]].self, forKey: key) {
            prompts = several.map(Prompt.tokens)
        } else {
            throw APIError.invalid("prompt", "prompt must be a text, an array of token ids, or an array of either")
        }
        guard (1...promptsMax).contains(prompts.count) else {
            throw APIError.invalid("prompt", "prompt takes from 1 to \(promptsMax) prompts, not \(prompts.count)")
        }
        if prompts.contains(.tokens([])) { throw APIError.invalid("prompt", "a prompt needs at least one token") }
        return prompts
    }
}
