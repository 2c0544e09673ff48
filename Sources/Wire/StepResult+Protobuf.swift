// StepResult, with the tokens chosen, as protobuf.

import CRingProto

extension StepResult: ProtobufMessage {
    func validate() throws(WireError) {
        try ValueLimit.check(hops: hops, "StepResult")
        try CountLimit.resultRuns.check(runs.count)
        for run in runs { try run.validate() }
        // A step's rows bound what it can be asked for, over all its runs.
        let prompt = runs.reduce(0) { $0 + $1.prompt.count }
        try ValueLimit.check(prompt, in: 0...WireLimits.stepRowsMax, "StepResult", "prompt")
        let sampled = runs.reduce(0) { $0 + $1.sampled.count }
        try ValueLimit.check(sampled, in: 0...WireLimits.stepRowsMax, "StepResult", "sampled")
    }

    func build(in arena: MessageArena) -> UnsafeMutablePointer<Ring__StepResult>? {
        arena.message(ring__step_result__init) {
            $0.epoch = epoch
            $0.step_id = stepID
            $0.hops = hops
            $0.n_runs = runs.count
            $0.runs = arena.pointers(runs) { $0.build(in: arena) }
            $0.compute_nanoseconds = computeNanoseconds
        }
    }

    init(reading message: Ring__StepResult) throws(WireError) {
        self.init(
            epoch: message.epoch, stepID: message.step_id, hops: message.hops,
            runs: try RunResult.list(message.n_runs, message.runs, .resultRuns),
            computeNanoseconds: message.compute_nanoseconds)
    }
}

extension RunResult: ProtobufMessage {
    func validate() throws(WireError) {
        try ValueLimit.check(position, in: 0...UInt32(WireLimits.contextTokensMax), "RunResult", "position")
        try CountLimit.resultPrompt.check(prompt.count)
        try CountLimit.resultSampled.check(sampled.count)
        for choice in sampled { try choice.validate() }
        for choice in prompt { try choice.validate() }
    }

    func build(in arena: MessageArena) -> UnsafeMutablePointer<Ring__RunResult>? {
        arena.message(ring__run_result__init) {
            $0.sequence_id = sequenceID
            $0.position = position
            $0.n_sampled = sampled.count
            $0.sampled = arena.pointers(sampled) { $0.build(in: arena) }
            $0.n_prompt = prompt.count
            $0.prompt = arena.pointers(prompt) { $0.build(in: arena) }
        }
    }

    init(reading message: Ring__RunResult) throws(WireError) {
        self.init(
            sequenceID: message.sequence_id, position: message.position,
            sampled: try TokenChoice.list(message.n_sampled, message.sampled, .resultSampled),
            prompt: try TokenChoice.list(message.n_prompt, message.prompt, .resultPrompt))
    }
}

extension TokenChoice: ProtobufMessage {
    func validate() throws(WireError) {
        try ValueLimit.check(logprob: logprob, "TokenChoice")
        try CountLimit.choiceTop.check(top.count)
        for alternative in top { try alternative.validate() }
    }

    func build(in arena: MessageArena) -> UnsafeMutablePointer<Ring__TokenChoice>? {
        arena.message(ring__token_choice__init) {
            $0.token = token
            $0.logprob = logprob
            $0.n_top = top.count
            $0.top = arena.pointers(top) { $0.build(in: arena) }
        }
    }

    init(reading message: Ring__TokenChoice) throws(WireError) {
        self.init(
            token: message.token, logprob: message.logprob,
            top: try TokenLogprob.list(message.n_top, message.top, .choiceTop))
    }
}

extension TokenLogprob: ProtobufMessage {
    func validate() throws(WireError) {
        try ValueLimit.check(logprob: logprob, "TokenLogprob")
    }

    func build(in arena: MessageArena) -> UnsafeMutablePointer<Ring__TokenLogprob>? {
        arena.message(ring__token_logprob__init) {
            $0.token = token
            $0.logprob = logprob
        }
    }

    init(reading message: Ring__TokenLogprob) {
        self.init(token: message.token, logprob: message.logprob)
    }
}
