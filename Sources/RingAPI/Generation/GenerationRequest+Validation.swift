// What a request must satisfy before it may go onto the ring.

import Wire

extension GenerationRequest {
    /// - Throws: a ``GenerationRefusal`` that says what is wrong.
    func validate(model: ModelShape, contextTokensMax: Int) throws(GenerationRefusal) {
        guard !prompt.isEmpty else { throw .invalidPrompt("the prompt is empty; give at least one token") }
        let known = "the model knows tokens 0–\(max(0, model.vocabularySize - 1))"
        if let token = prompt.first(where: { Int($0) >= model.vocabularySize }) {
            throw .invalidPrompt("the prompt holds token \(token), but \(known)")
        }
        if let token = prediction.first(where: { Int($0) >= model.vocabularySize }) {
            throw .invalidPrompt("the prediction holds token \(token), but \(known)")
        }
        guard prediction.count <= contextTokensMax else {
            throw .invalidPrompt(
                "the prediction has \(prediction.count) tokens, more than the context of \(contextTokensMax)")
        }
        guard tokensMax >= 0, tokensMax <= contextTokensMax, prompt.count + tokensMax <= contextTokensMax else {
            throw .contextExceeded(
                promptTokens: prompt.count, tokensMax: tokensMax, contextTokensMax: contextTokensMax)
        }
        guard sampling.logitBias.count <= WireLimits.logitBiasMax else {
            throw .invalidPrompt("a logit bias may name at most \(WireLimits.logitBiasMax) tokens")
        }
        if let bias = sampling.logitBias.first(where: { Int($0.token) >= model.vocabularySize }) {
            throw .invalidPrompt("the logit bias names token \(bias.token), but \(known)")
        }
        guard sampling.bannedTokens.count <= WireLimits.bannedTokensMax else {
            throw .invalidPrompt("at most \(WireLimits.bannedTokensMax) tokens may be banned")
        }
        let alternatives = [Int(sampling.topLogprobs), promptLogprobs ?? 0]
        guard alternatives.allSatisfy({ 0...WireLimits.topLogprobsMax ~= $0 }) else {
            throw .invalidPrompt("at most \(WireLimits.topLogprobsMax) alternatives may be asked for each token")
        }
    }
}
