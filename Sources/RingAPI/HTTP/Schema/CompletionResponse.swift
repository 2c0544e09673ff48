// The answer to POST /v1/completions, whole or as chunks.

/// A text completion; a chunk of one has the same shape.
struct CompletionResponse: Encodable, Sendable {
    var id: String
    var object = "text_completion"
    var created: Int
    var model: String
    var systemFingerprint: String
    var choices: [Choice]
    var usage: Usage?

    struct Choice: Encodable, Sendable {
        var index: Int
        var text: String
        var logprobs: Nullable<Logprobs>
        var finishReason: Nullable<String>
        var promptTokenIds: [UInt32]?
        var tokenIds: [UInt32]?
    }

    /// Columns of equal length, one entry for each token.
    struct Logprobs: Encodable, Sendable {
        var tokens: [String] = []
        var tokenLogprobs: [Nullable<Float>] = []
        var topLogprobs: [Nullable<[String: Float]>] = []
        /// Where each token begins in the text, in Unicode scalars as Python counts them.
        var textOffset: [Int] = []
    }
}

/// Tokens read and written.
struct Usage: Encodable, Equatable, Sendable {
    var promptTokens: Int
    var completionTokens: Int
    var totalTokens: Int
    var promptTokensDetails: Details
    /// Where the request predicted its answer.
    var completionTokensDetails: Prediction?

    struct Details: Encodable, Equatable, Sendable {
        /// Tokens of the prompt that were not computed anew.
        var cachedTokens: Int
    }

    /// What became of a prediction.
    struct Prediction: Encodable, Equatable, Sendable {
        /// Tokens of the answer that came as predicted.
        var acceptedPredictionTokens: Int
        /// Tokens of the prediction that were not said where they were expected.
        var rejectedPredictionTokens: Int

        init(accepted: Int, of predicted: Int) {
            acceptedPredictionTokens = accepted
            rejectedPredictionTokens = max(0, predicted - accepted)
        }
    }

    init(promptTokens: Int, completionTokens: Int, cachedTokens: Int, prediction: Prediction? = nil) {
        self.promptTokens = promptTokens
        self.completionTokens = completionTokens
        totalTokens = promptTokens + completionTokens
        promptTokensDetails = Details(cachedTokens: cachedTokens)
        completionTokensDetails = prediction
    }
}
