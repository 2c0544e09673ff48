// Words to tokens and back: plans the answers to a request, starts them together, and hands on what they say.

import Hummingbird
import Text
import Wire

/// One answer that a request asks for.
struct PlannedAnswer: Sendable {
    var index: Int
    var generation: GenerationRequest
    var stops: [String]
}

/// A whole answer.
struct CollectedAnswer: Sendable {
    var index: Int
    var promptTokens: [UInt32]
    var promptChoices: [TokenChoice] = []
    var cachedTokens = 0
    /// Tokens that came as the request predicted.
    var predictedTokens = 0
    var text = ""
    var tokens: [TokenChoice] = []
    var finish = FinishReason.length
}

struct GenerationService: Sendable {
    let model: ServedModel
    let generator: any TokenGenerator

    // MARK: Words to tokens

    /// The tokens of a conversation.
    func tokens(of request: ChatCompletionRequest) throws -> [UInt32] {
        guard let tokenizer = model.tokenizer else {
            throw APIError.invalid("messages", "\(model.name) has no tokenizer; use /v1/completions with token ids")
        }
        guard let template = model.chatTemplate else {
            throw APIError.invalid("messages", "\(model.name) has no chat template; use /v1/completions")
        }
        do {
            let text = try template.render(
                messages: request.messages, tools: request.tools, addGenerationPrompt: request.addGenerationPrompt,
                extra: request.templateArguments)
            return tokenizer.encode(text, addSpecialTokens: false)
        } catch let error as ChatTemplateError {
            throw APIError.invalid("messages", error.description)
        }
    }

    /// The tokens of what a client expects to be answered.
    func tokens(ofPrediction text: String?) throws -> [UInt32] {
        guard let text, !text.isEmpty else { return [] }
        guard let tokenizer = model.tokenizer else {
            throw APIError.invalid("prediction", "\(model.name) has no tokenizer, so no text can be predicted")
        }
        return tokenizer.encode(text, addSpecialTokens: false)
    }

    /// The tokens of a prompt.
    func tokens(of prompt: CompletionRequest.Prompt) throws -> [UInt32] {
        switch prompt {
        case .tokens(let tokens): return tokens
        case .text(let text):
            guard let tokenizer = model.tokenizer else {
                throw APIError.invalid("prompt", "\(model.name) has no tokenizer; give the prompt as token ids")
            }
            return tokenizer.encode(text, addSpecialTokens: true)
        }
    }

    /// The answers to prompts: `n` to each, numbered prompt by prompt.
    func plan(
        prompts: [[UInt32]], fields: SamplingFields, tokensMax: Int?, topLogprobs: Int?, promptLogprobs: Int? = nil,
        prediction: [UInt32] = [], requestID: String
    ) throws -> [PlannedAnswer] {
        if let unknown = (fields.logitBias.map(\.token) + fields.stopTokenIDs).first(where: {
            $0 >= model.card.vocabularySize
        }) {
            throw APIError.invalid(nil, "token \(unknown) is beyond the vocabulary of \(model.card.vocabularySize)")
        }
        guard prompts.count * fields.choiceCount <= SamplingFields.choicesMax else {
            throw APIError.invalid("n", "prompts times n is at most \(SamplingFields.choicesMax)")
        }
        if model.tokenizer == nil, !fields.stop.isEmpty {
            throw APIError.invalid("stop", "\(model.name) has no tokenizer, so no text to stop at; use stop_token_ids")
        }
        let baseSeed = fields.seed.map { UInt64(bitPattern: $0) } ?? UInt64.random(in: 0...UInt64.max)
        let stopTokens = Set(fields.stopTokenIDs).union(fields.ignoreEndOfText ? [] : model.endOfTextTokens)
        return prompts.enumerated().flatMap { number, prompt in
            (0..<fields.choiceCount).map { choice in
                let room = max(1, contextTokensMax - prompt.count)
                return PlannedAnswer(
                    index: number * fields.choiceCount + choice,
                    generation: GenerationRequest(
                        requestID: requestID, prompt: prompt,
                        sampling: fields.sampling(
                            defaults: model.defaults, baseSeed: baseSeed, choice: choice, topLogprobs: topLogprobs),
                        tokensMax: tokensMax ?? room, stopTokens: stopTokens, promptLogprobs: promptLogprobs,
                        prediction: prediction),
                    stops: fields.stop)
            }
        }
    }

    private var contextTokensMax: Int { generator.contextTokensMax }

    // MARK: Tokens to words

    /// Starts every answer, or none.
    /// - Throws: ``APIError`` when one of them is not admitted; those already started are then stopped.
    func start(_ plan: [PlannedAnswer]) throws(APIError) -> [TextStream] {
        var streams: [TextStream] = []
        for answer in plan {
            do throws(GenerationRefusal) {
                let events = try generator.generate(answer.generation)
                streams.append(TextStream(events: events, tokenizer: model.tokenizer, stops: answer.stops))
            } catch {
                throw APIError(error)
            }
        }
        return streams
    }

    /// Runs every answer to its end.
    func collect(_ plan: [PlannedAnswer]) async throws -> [CollectedAnswer] {
        let streams = try start(plan)
        return try await withThrowingTaskGroup(of: CollectedAnswer.self) { group in
            for (answer, stream) in zip(plan, streams) {
                group.addTask {
                    var collected = CollectedAnswer(index: answer.index, promptTokens: answer.generation.prompt)
                    for try await event in stream { collected.append(event) }
                    return collected
                }
            }
            return try await group.reduce(into: []) { $0.append($1) }.sorted { $0.index < $1.index }
        }
    }

    /// Runs every answer and hands on each event as it comes.
    /// - Parameter body: called with one event at a time.
    func follow(
        _ plan: [PlannedAnswer], _ streams: [TextStream], _ body: (PlannedAnswer, TextEvent) async throws -> Void
    ) async throws {
        let (merged, continuation) = AsyncThrowingStream.makeStream(of: (Int, TextEvent).self)
        let producer = Task {
            do {
                try await withThrowingTaskGroup(of: Void.self) { group in
                    for (number, stream) in streams.enumerated() {
                        group.addTask {
                            for try await event in stream { continuation.yield((number, event)) }
                        }
                    }
                    try await group.waitForAll()
                }
                continuation.finish()
            } catch {
                continuation.finish(throwing: error)
            }
        }
        defer { producer.cancel() }
        try await withTaskCancellationHandler {
            for try await (number, event) in merged { try await body(plan[number], event) }
        } onCancel: {
            producer.cancel()
        }
        try Task.checkCancellation()
    }
}

extension CollectedAnswer {
    mutating func append(_ event: TextEvent) {
        switch event {
        case .prompt(let choices, let cachedTokens): (promptChoices, self.cachedTokens) = (choices, cachedTokens)
        case .predicted(let count): predictedTokens = count
        case .token(let choice, let text):
            tokens.append(choice)
            self.text += text
        case .end(let reason, let text):
            finish = reason
            self.text += text
        }
    }
}
