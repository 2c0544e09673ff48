// Begin and Step, with its runs, as protobuf.

import CRingProto

extension Begin: ProtobufMessage {
    func validate() throws(WireError) {
        try ValueLimit.check(hops: hops, "Begin")
        try ValueLimit.check(epoch, in: 1...UInt64.max, "Begin", "epoch")
        try ValueLimit.check(
            modelFingerprint.count, in: WireLimits.fingerprintBytes...WireLimits.fingerprintBytes, "Begin",
            "modelFingerprint.count")
    }

    func build(in arena: MessageArena) -> UnsafeMutablePointer<Ring__Begin>? {
        arena.message(ring__begin__init) {
            $0.epoch = epoch
            $0.hops = hops
            $0.model_fingerprint = arena.bytes(modelFingerprint)
            $0.activations = Ring__ActivationFormat(activations.rawValue)
        }
    }

    init(reading message: Ring__Begin) throws(WireError) {
        guard let activations = ActivationFormat(rawValue: message.activations.rawValue) else {
            throw .field(
                message: "Begin", field: "activations", found: "\(message.activations.rawValue)",
                allowed: "1 (f32) or 2 (bf16)")
        }
        self.init(
            epoch: message.epoch, hops: message.hops,
            modelFingerprint: try UInt8.list(
                message.model_fingerprint.len, message.model_fingerprint.data, .beginFingerprint),
            activations: activations)
    }
}

extension Step: ProtobufMessage {
    func validate() throws(WireError) {
        try ValueLimit.check(hops: hops, "Step")
        try ValueLimit.check(nextLayer, in: 0...UInt32(WireLimits.layersMax), "Step", "nextLayer")
        try ValueLimit.check(hiddenSize, in: 0...UInt32(WireLimits.hiddenSizeMax), "Step", "hiddenSize")
        try ValueLimit.check(runs.count, in: 1...WireLimits.stepRunsMax, "Step", "runs.count")
        for run in runs { try run.validate() }
        try ValueLimit.check(rowCount, in: 1...WireLimits.stepRowsMax, "Step", "rowCount")
    }

    /// Checks the payload that travels with this step: it has the step's rows and columns, in some
    /// ``ActivationFormat``.
    func validate(payloadBytes: Int) throws(WireError) {
        guard payloadBytes > 0 else {
            guard nextLayer == 0 else {
                throw .field(
                    message: "Step", field: "payload", found: "empty", allowed: "activations before layer \(nextLayer)")
            }
            return try ValueLimit.check(hiddenSize, in: 0...0, "Step", "hiddenSize")
        }
        try ValueLimit.check(payloadBytes, in: 0...WireLimits.payloadBytesMax, "Step", "payload")
        // Both factors are bounded, so that the product is far from overflow.
        let elements = rowCount * Int(hiddenSize)
        guard ActivationFormat.allCases.contains(where: { elements * $0.bytesPerElement == payloadBytes }) else {
            throw .field(
                message: "Step", field: "payload", found: "\(payloadBytes) bytes",
                allowed: "\(rowCount) rows of \(hiddenSize) columns of 2 or 4 bytes")
        }
    }

    func build(in arena: MessageArena) -> UnsafeMutablePointer<Ring__Step>? {
        arena.message(ring__step__init) {
            $0.epoch = epoch
            $0.step_id = stepID
            $0.next_layer = nextLayer
            $0.hops = hops
            $0.n_runs = runs.count
            $0.runs = arena.pointers(runs) { $0.build(in: arena) }
            $0.checksum = checksum
            $0.hidden_size = hiddenSize
            $0.compute_nanoseconds = computeNanoseconds
        }
    }

    init(reading message: Ring__Step) throws(WireError) {
        self.init(
            epoch: message.epoch, stepID: message.step_id, nextLayer: message.next_layer, hops: message.hops,
            runs: try SequenceRun.list(message.n_runs, message.runs, .stepRuns), checksum: message.checksum,
            hiddenSize: message.hidden_size, computeNanoseconds: message.compute_nanoseconds)
    }
}

extension SequenceRun: ProtobufMessage {
    func validate() throws(WireError) {
        try ValueLimit.check(tokens.count, in: 1...WireLimits.stepRowsMax, "SequenceRun", "tokens.count")
        // Bounds the sum of position and count, so that nobody's arithmetic overflows.
        let contextMax = UInt32(WireLimits.contextTokensMax)
        try ValueLimit.check(position, in: 0...(contextMax - UInt32(tokens.count)), "SequenceRun", "position")
        try ValueLimit.check(promptCount, in: 0...contextMax, "SequenceRun", "promptCount")
        try sampling?.validate()
        try promptLogprobs?.validate()
        // Drafts follow a token, are followed by what is sampled, and are no prompt.
        let draftsMax = sampling == nil || promptLogprobs != nil ? 0 : min(WireLimits.draftsMax, tokens.count - 1)
        try ValueLimit.check(draftCount, in: 0...draftsMax, "SequenceRun", "draftCount")
    }

    func build(in arena: MessageArena) -> UnsafeMutablePointer<Ring__SequenceRun>? {
        arena.message(ring__sequence_run__init) {
            $0.sequence_id = sequenceID
            $0.position = position
            $0.n_tokens = tokens.count
            $0.tokens = arena.numbers(tokens)
            $0.sampling = sampling?.build(in: arena)
            $0.prompt_count = promptCount
            $0.prompt_logprobs = promptLogprobs?.build(in: arena)
            $0.parent_id = parentID ?? 0
            $0.draft_count = UInt32(clamping: draftCount)
        }
    }

    init(reading message: Ring__SequenceRun) throws(WireError) {
        self.init(
            sequenceID: message.sequence_id, position: message.position,
            tokens: try UInt32.list(message.n_tokens, message.tokens, .runTokens),
            draftCount: Int(message.draft_count), sampling: try Sampling.optional(message.sampling),
            promptCount: message.prompt_count,
            promptLogprobs: try PromptLogprobs.optional(message.prompt_logprobs),
            parentID: message.parent_id == 0 ? nil : message.parent_id)
    }
}

extension PromptLogprobs: ProtobufMessage {
    func validate() throws(WireError) {
        try ValueLimit.check(top, in: 0...UInt32(WireLimits.topLogprobsMax), "PromptLogprobs", "top")
    }

    func build(in arena: MessageArena) -> UnsafeMutablePointer<Ring__PromptLogprobs>? {
        arena.message(ring__prompt_logprobs__init) {
            $0.top = top
            $0.has_next_token = nextToken == nil ? 0 : 1
            $0.next_token = nextToken ?? 0
        }
    }

    init(reading message: Ring__PromptLogprobs) {
        self.init(top: message.top, nextToken: message.has_next_token == 0 ? nil : message.next_token)
    }
}
