// POST /v1/chat/completions.

import Hummingbird
import Wire

struct ChatCompletionRoute: Sendable {
    let service: GenerationService
    let fingerprint: String

    func respond(_ request: Request, _ context: APIRequestContext) async throws -> Response {
        var request = request
        let chat = try ChatCompletionRequest(body: try await request.collectBody(upTo: RequestBody.bytesMax))
        try service.model.check(requested: chat.sampling.model)
        let identity = ResponseIdentity(prefix: "chatcmpl", model: service.model, fingerprint: fingerprint)
        let prompt = try service.tokens(of: chat)
        let prediction = try service.tokens(ofPrediction: chat.prediction)
        let plan = try service.plan(
            prompts: [prompt], fields: chat.sampling, tokensMax: chat.tokensMax, topLogprobs: chat.topLogprobs,
            prediction: prediction, requestID: identity.id)
        if chat.sampling.stream { return try stream(plan, chat, identity, context) }
        let answers = try await HangUp.cancelling(context.channel) { try await service.collect(plan) }
        return try JSONBody.response(whole(answers, chat, identity, prompt: prompt, prediction: prediction))
    }

    private func whole(
        _ answers: [CollectedAnswer], _ chat: ChatCompletionRequest, _ identity: ResponseIdentity, prompt: [UInt32],
        prediction: [UInt32]
    ) -> ChatCompletionResponse {
        let tokens = TokenText(tokenizer: service.model.tokenizer)
        return ChatCompletionResponse(
            id: identity.id, created: identity.created, model: identity.model,
            systemFingerprint: identity.systemFingerprint,
            choices: answers.map { answer in
                ChatCompletionResponse.Choice(
                    index: answer.index, message: .init(content: answer.text),
                    logprobs: Nullable(chat.topLogprobs.map { _ in .init(content: answer.tokens.map(tokens.chat)) }),
                    finishReason: Nullable(answer.finish.rawValue),
                    tokenIds: chat.sampling.returnTokenIDs ? answer.tokens.map(\.token) : nil)
            },
            usage: Usage(
                promptTokens: prompt.count, completionTokens: answers.reduce(0) { $0 + $1.tokens.count },
                cachedTokens: answers.first?.cachedTokens ?? 0,
                prediction: chat.prediction.map { _ in
                    Usage.Prediction(
                        accepted: answers.reduce(0) { $0 + $1.predictedTokens },
                        of: answers.count * prediction.count)
                }),
            promptTokenIds: chat.sampling.returnTokenIDs ? prompt : nil)
    }

    private func stream(
        _ plan: [PlannedAnswer], _ chat: ChatCompletionRequest, _ identity: ResponseIdentity,
        _ context: APIRequestContext
    ) throws -> Response {
        // Admitted before the head is written, so that a refusal has its own status.
        let streams = try service.start(plan)
        let writer = ChunkWriter(identity: identity, chat: chat, tokens: TokenText(tokenizer: service.model.tokenizer))
        return EventStream.response(context) { [service] send in
            var completionTokens = 0
            var cachedTokens = 0
            var predicted: [Int: Int] = [:]
            for answer in plan { try await send(writer.opening(answer)) }
            try await service.follow(plan, streams) { answer, event in
                switch event {
                case .token: completionTokens += 1
                // The prompt is counted once, as its first answer read it.
                case .prompt(_, let count): if answer.index == 0 { cachedTokens = count }
                case .predicted(let count): predicted[answer.index] = count
                case .end: break
                }
                if let chunk = writer.chunk(answer, event) { try await send(chunk) }
            }
            if chat.sampling.includeUsage {
                let promptTokens = plan.first?.generation.prompt.count ?? 0
                let usage = Usage(
                    promptTokens: promptTokens, completionTokens: completionTokens, cachedTokens: cachedTokens,
                    prediction: chat.prediction.map { _ in
                        Usage.Prediction(
                            accepted: predicted.values.reduce(0, +),
                            of: plan.reduce(0) { $0 + $1.generation.prediction.count })
                    })
                try await send(writer.closing(usage))
            }
        }
    }
}

/// Turns the events of an answer into chunks.
private struct ChunkWriter: Sendable {
    let identity: ResponseIdentity
    let chat: ChatCompletionRequest
    let tokens: TokenText

    func opening(_ answer: PlannedAnswer) -> ChatCompletionChunk {
        var chunk = chunk([choice(answer, .init(role: "assistant", content: ""))])
        if chat.sampling.returnTokenIDs { chunk.promptTokenIds = answer.generation.prompt }
        return chunk
    }

    /// `nil` when the event has nothing for the client yet.
    func chunk(_ answer: PlannedAnswer, _ event: TextEvent) -> ChatCompletionChunk? {
        switch event {
        case .prompt, .predicted: return nil
        case .token(let token, let text):
            guard !text.isEmpty || chat.topLogprobs != nil || chat.sampling.returnTokenIDs else { return nil }
            var choice = choice(answer, .init(content: text))
            if chat.topLogprobs != nil { choice.logprobs = Nullable(.init(content: [tokens.chat(token)])) }
            if chat.sampling.returnTokenIDs { choice.tokenIds = [token.token] }
            return chunk([choice])
        case .end(let reason, let text):
            var choice = choice(answer, .init(content: text.isEmpty ? nil : text))
            choice.finishReason = Nullable(reason.rawValue)
            return chunk([choice])
        }
    }

    func closing(_ usage: Usage) -> ChatCompletionChunk {
        var chunk = chunk([])
        chunk.usage = usage
        return chunk
    }

    private func choice(_ answer: PlannedAnswer, _ delta: ChatCompletionChunk.Delta) -> ChatCompletionChunk.Choice {
        .init(index: answer.index, delta: delta, logprobs: Nullable(nil), finishReason: Nullable(nil))
    }

    private func chunk(_ choices: [ChatCompletionChunk.Choice]) -> ChatCompletionChunk {
        ChatCompletionChunk(
            id: identity.id, created: identity.created, model: identity.model,
            systemFingerprint: identity.systemFingerprint, choices: choices)
    }
}
