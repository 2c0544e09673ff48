// Sampling as protobuf.

import CRingProto

extension Sampling: ProtobufMessage {
    func validate() throws(WireError) {
        let largest = Float.greatestFiniteMagnitude
        try ValueLimit.check(temperature, in: 0...largest, "Sampling", "temperature")
        try ValueLimit.check(topP, in: 0...1, "Sampling", "topP")
        try ValueLimit.check(minP, in: 0...1, "Sampling", "minP")
        try ValueLimit.check(finite: presencePenalty, "Sampling", "presencePenalty")
        try ValueLimit.check(finite: frequencyPenalty, "Sampling", "frequencyPenalty")
        try ValueLimit.check(
            repetitionPenalty, in: Float.leastNormalMagnitude...largest, "Sampling", "repetitionPenalty")
        try ValueLimit.check(topLogprobs, in: 0...UInt32(WireLimits.topLogprobsMax), "Sampling", "topLogprobs")
        try CountLimit.logitBias.check(logitBias.count)
        try CountLimit.bannedTokens.check(bannedTokens.count)
        for entry in logitBias { try entry.validate() }
    }

    func build(in arena: MessageArena) -> UnsafeMutablePointer<Ring__Sampling>? {
        arena.message(ring__sampling__init) {
            $0.temperature = temperature
            $0.top_k = topK
            $0.top_p = topP
            $0.min_p = minP
            $0.seed = seed
            $0.presence_penalty = presencePenalty
            $0.frequency_penalty = frequencyPenalty
            $0.repetition_penalty = repetitionPenalty
            $0.logprobs = logprobs ? 1 : 0
            $0.top_logprobs = topLogprobs
            $0.n_logit_bias = logitBias.count
            $0.logit_bias = arena.pointers(logitBias) { $0.build(in: arena) }
            $0.n_banned_tokens = bannedTokens.count
            $0.banned_tokens = arena.numbers(bannedTokens)
        }
    }

    init(reading message: Ring__Sampling) throws(WireError) {
        self.init()
        temperature = message.temperature
        topK = message.top_k
        topP = message.top_p
        minP = message.min_p
        seed = message.seed
        presencePenalty = message.presence_penalty
        frequencyPenalty = message.frequency_penalty
        repetitionPenalty = message.repetition_penalty
        logprobs = message.logprobs != 0
        topLogprobs = message.top_logprobs
        logitBias = try LogitBias.list(message.n_logit_bias, message.logit_bias, .logitBias)
        bannedTokens = try UInt32.list(message.n_banned_tokens, message.banned_tokens, .bannedTokens)
    }
}

extension LogitBias: ProtobufMessage {
    func validate() throws(WireError) {
        try ValueLimit.check(finite: bias, "LogitBias", "bias")
    }

    func build(in arena: MessageArena) -> UnsafeMutablePointer<Ring__LogitBias>? {
        arena.message(ring__logit_bias__init) {
            $0.token = token
            $0.bias = bias
        }
    }

    init(reading message: Ring__LogitBias) {
        self.init(token: message.token, bias: message.bias)
    }
}
