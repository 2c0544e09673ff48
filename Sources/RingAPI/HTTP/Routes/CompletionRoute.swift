// POST /v1/completions.

import Hummingbird
import Text
import Wire

struct CompletionRoute: Sendable {
    let service: GenerationService
    let fingerprint: String

    func respond(_ request: Request, _ context: APIRequestContext) async throws -> Response {
        var request = request
        let body = try await request.collectBody(upTo: RequestBody.bytesMax)
        let completion = try RequestBody.decode(CompletionRequest.self, from: body)
        try service.model.check(requested: completion.sampling.model)
        let identity = ResponseIdentity(prefix: "cmpl", model: service.model, fingerprint: fingerprint)
        let plan = try service.plan(
            prompts: completion.prompts.map(service.tokens(of:)), fields: completion.sampling,
            tokensMax: completion.tokensMax, topLogprobs: completion.logprobs,
            promptLogprobs: completion.echo ? completion.logprobs : nil, requestID: identity.id)
        let writer = CompletionWriter(
            identity: identity, request: completion, tokens: TokenText(tokenizer: service.model.tokenizer))
        if completion.sampling.stream { return try stream(plan, writer, context) }
        let answers = try await HangUp.cancelling(context.channel) { try await service.collect(plan) }
        return try JSONBody.response(writer.whole(answers))
    }

    private func stream(
        _ plan: [PlannedAnswer], _ writer: CompletionWriter, _ context: APIRequestContext
    ) throws -> Response {
        // Admitted before the head is written, so that a refusal has its own status.
        let streams = try service.start(plan)
        return EventStream.response(context) { [service] send in
            var progress = CompletionWriter.Progress()
            if writer.request.echo {
                for answer in plan { try await send(writer.echo(answer)) }
            }
            try await service.follow(plan, streams) { answer, event in
                if let chunk = writer.chunk(answer, event, &progress) { try await send(chunk) }
            }
            if writer.request.sampling.includeUsage {
                try await send(writer.closing(plan, progress))
            }
        }
    }
}

/// Turns answers into text completions.
struct CompletionWriter: Sendable {
    let identity: ResponseIdentity
    let request: CompletionRequest
    let tokens: TokenText

    /// What has been sent of a stream's answers.
    struct Progress {
        var completionTokens = 0
        /// Tokens of prompts that were not computed anew.
        var cachedTokens = 0
        /// Length of each answer's text so far, in Unicode scalars.
        var offsets: [Int: Int] = [:]
        /// Answers whose prompt's ids were sent.
        var begun: Set<Int> = []
    }

    /// Whether an answer is its prompt's first: a prompt is counted once, as its first answer read it.
    private func isFirst(_ index: Int) -> Bool { index % request.sampling.choiceCount == 0 }

    private var returnsTokenIDs: Bool { request.sampling.returnTokenIDs }

    func whole(_ answers: [CollectedAnswer]) -> CompletionResponse {
        var prompts = 0
        var cached = 0
        let choices = answers.map { answer in
            if isFirst(answer.index) {
                prompts += answer.promptTokens.count
                cached += answer.cachedTokens
            }
            let echoed = request.echo ? promptText(answer.promptTokens) : ""
            var logprobs: CompletionResponse.Logprobs?
            if request.logprobs != nil {
                logprobs =
                    request.echo
                    ? tokens.columns(
                        first: answer.promptTokens.first, answer.promptChoices + answer.tokens, offset: 0)
                    : tokens.columns(first: nil, answer.tokens, offset: 0)
            }
            return CompletionResponse.Choice(
                index: answer.index, text: echoed + answer.text, logprobs: Nullable(logprobs),
                finishReason: Nullable(answer.finish.rawValue),
                promptTokenIds: returnsTokenIDs ? answer.promptTokens : nil,
                tokenIds: returnsTokenIDs ? answer.tokens.map(\.token) : nil)
        }
        let written = answers.reduce(0) { $0 + $1.tokens.count }
        return response(choices, usage: Usage(promptTokens: prompts, completionTokens: written, cachedTokens: cached))
    }

    func echo(_ answer: PlannedAnswer) -> CompletionResponse {
        response([choice(answer, promptText(answer.generation.prompt))])
    }

    /// `nil` when the event has nothing for the client yet.
    func chunk(_ answer: PlannedAnswer, _ event: TextEvent, _ progress: inout Progress) -> CompletionResponse? {
        var choice: CompletionResponse.Choice
        switch event {
        case .prompt(_, let cachedTokens):
            if isFirst(answer.index) { progress.cachedTokens += cachedTokens }
            return nil
        case .predicted: return nil
        case .token(let token, let text):
            progress.completionTokens += 1
            guard !text.isEmpty || request.logprobs != nil || returnsTokenIDs else { return nil }
            choice = self.choice(answer, text)
            if request.logprobs != nil {
                let offset = progress.offsets[answer.index, default: 0]
                choice.logprobs = Nullable(tokens.columns(first: nil, [token], offset: offset))
                progress.offsets[answer.index] = offset + tokens.text(token.token).unicodeScalars.count
            }
            if returnsTokenIDs { choice.tokenIds = [token.token] }
        case .end(let reason, let text):
            choice = self.choice(answer, text)
            choice.finishReason = Nullable(reason.rawValue)
        }
        if returnsTokenIDs, progress.begun.insert(answer.index).inserted {
            choice.promptTokenIds = answer.generation.prompt
        }
        return response([choice])
    }

    func closing(_ plan: [PlannedAnswer], _ progress: Progress) -> CompletionResponse {
        let prompts = plan.filter { isFirst($0.index) }
            .reduce(0) { $0 + $1.generation.prompt.count }
        return response(
            [],
            usage: Usage(
                promptTokens: prompts, completionTokens: progress.completionTokens,
                cachedTokens: progress.cachedTokens))
    }

    private func promptText(_ ids: [UInt32]) -> String {
        tokens.tokenizer?.decode(ids, skipSpecialTokens: false) ?? ""
    }

    private func choice(_ answer: PlannedAnswer, _ text: String) -> CompletionResponse.Choice {
        .init(index: answer.index, text: text, logprobs: Nullable(nil), finishReason: Nullable(nil))
    }

    private func response(_ choices: [CompletionResponse.Choice], usage: Usage? = nil) -> CompletionResponse {
        CompletionResponse(
            id: identity.id, created: identity.created, model: identity.model,
            systemFingerprint: identity.systemFingerprint, choices: choices, usage: usage)
    }
}
