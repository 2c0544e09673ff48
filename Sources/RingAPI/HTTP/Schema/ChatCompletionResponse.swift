// The answer to POST /v1/chat/completions, whole or as chunks.

struct ChatCompletionResponse: Encodable, Sendable {
    var id: String
    var object = "chat.completion"
    var created: Int
    var model: String
    var systemFingerprint: String
    var choices: [Choice]
    var usage: Usage
    var promptTokenIds: [UInt32]?

    struct Choice: Encodable, Sendable {
        var index: Int
        var message: Message
        var logprobs: Nullable<ChatLogprobs>
        var finishReason: Nullable<String>
        var tokenIds: [UInt32]?
    }

    struct Message: Encodable, Sendable {
        var role = "assistant"
        var content: String
        var refusal = Nullable<String>(nil)
    }
}

struct ChatCompletionChunk: Encodable, Sendable {
    var id: String
    var object = "chat.completion.chunk"
    var created: Int
    var model: String
    var systemFingerprint: String
    var choices: [Choice]
    var usage: Usage?
    var promptTokenIds: [UInt32]?

    struct Choice: Encodable, Sendable {
        var index: Int
        var delta: Delta
        var logprobs: Nullable<ChatLogprobs>
        var finishReason: Nullable<String>
        var tokenIds: [UInt32]?
    }

    struct Delta: Encodable, Sendable {
        var role: String?
        var content: String?
    }
}

/// One entry for each token of an answer.
struct ChatLogprobs: Encodable, Sendable {
    var content: [Token]

    struct Token: Encodable, Sendable {
        var token: String
        var logprob: Float
        /// The token's own bytes: it may be part of a character only.
        var bytes: [UInt8]?
        var topLogprobs: [Alternative]
    }

    struct Alternative: Encodable, Sendable {
        var token: String
        var logprob: Float
        var bytes: [UInt8]?
    }
}
