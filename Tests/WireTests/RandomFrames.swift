// Random frames within the limits, from one seed.

import Wire

/// A small generator with a seed, so that a failing test fails again (SplitMix64).
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) {
        state = seed
    }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}

/// Makes frames of every kind, with fields set and left out at random.
struct RandomFrames {
    private var generator: SeededGenerator

    init(seed: UInt64) {
        generator = SeededGenerator(seed: seed)
    }

    mutating func frame() -> Frame {
        switch Int.random(in: 0..<8, using: &generator) {
        case 0:
            Frame(.hello(Hello(protocolVersion: number(), softwareVersion: text(), name: "n" + text(), role: .api)))
        case 1: Frame(.heartbeat(Heartbeat(sequenceNumber: number())))
        case 2: Frame(.probe(Probe(probeID: number(), hops: small(1024), shards: list(4) { $0.shard() })))
        case 3:
            Frame(
                .begin(Begin(epoch: number() | 1, hops: small(1024), modelFingerprint: bytes(16), activations: .f32)))
        case 4: stepFrame()
        case 5:
            Frame(
                .result(
                    StepResult(
                        epoch: number(), stepID: number(), hops: small(1024), runs: list(5) { $0.runResult() },
                        computeNanoseconds: number())))
        case 6: Frame(.forget(Forget(epoch: number(), sequenceIDs: list(9) { $0.number() }, hops: small(1024))))
        default:
            Frame(
                .failure(
                    Failure(
                        kind: FailureKind(rawValue: small(9) + 1) ?? .compute, reason: text(), shard: text(),
                        epoch: number(), stepID: number(), sequenceID: number(), probeID: number())))
        }
    }

    mutating func stepFrame() -> Frame {
        var step = Step(
            epoch: number(), stepID: number(), hops: small(1024), runs: [run()] + list(4) { $0.run() },
            computeNanoseconds: number())
        guard Bool.random(using: &generator) else { return Frame(.step(step)) }
        step.nextLayer = small(1024)
        step.hiddenSize = small(15) + 1
        let format = ActivationFormat.allCases.randomElement(using: &generator) ?? .f32
        let payload = bytes(step.rowCount * Int(step.hiddenSize) * format.bytesPerElement)
        step.checksum = Checksum.xxh3(of: payload)
        return Frame(.step(step), payload: payload)
    }

    private mutating func run() -> SequenceRun {
        var run = SequenceRun(
            sequenceID: number(), position: small(1 << 20), tokens: [number()] + list(30) { $0.number() },
            sampling: Bool.random(using: &generator) ? sampling() : nil, promptCount: small(1 << 20),
            promptLogprobs: Bool.random(using: &generator)
                ? PromptLogprobs(top: small(20), nextToken: Bool.random(using: &generator) ? small(9) : nil) : nil,
            parentID: Bool.random(using: &generator) ? UInt64(small(1 << 20)) + 1 : nil)
        if run.sampling != nil, run.promptLogprobs == nil { run.draftCount = Int(small(UInt32(run.tokens.count - 1))) }
        return run
    }

    private mutating func sampling() -> Sampling {
        var sampling = Sampling()
        sampling.temperature = Float.random(in: 0...2, using: &generator)
        sampling.topK = number()
        sampling.topP = Float.random(in: 0...1, using: &generator)
        sampling.minP = Float.random(in: 0...1, using: &generator)
        sampling.seed = number()
        sampling.presencePenalty = Float.random(in: -2...2, using: &generator)
        sampling.frequencyPenalty = Float.random(in: -2...2, using: &generator)
        sampling.repetitionPenalty = Float.random(in: 0.5...2, using: &generator)
        sampling.logprobs = Bool.random(using: &generator)
        sampling.topLogprobs = small(20)
        sampling.logitBias = list(5) {
            LogitBias(token: $0.number(), bias: Float.random(in: -100...100, using: &$0.generator))
        }
        sampling.bannedTokens = list(3) { $0.number() }
        return sampling
    }

    private mutating func shard() -> ShardDescription {
        var shard = ShardDescription()
        shard.name = text()
        shard.address = text()
        shard.modelFingerprint = Bool.random(using: &generator) ? bytes(16) : []
        shard.layerCount = 64
        shard.layers = [0...small(9), 10...(10 + small(9)), 30...63]
        shard.weightBytes = number()
        shard.exact = Bool.random(using: &generator)
        shard.contextTokensMax = number()
        shard.pass.stallNanoseconds = number()
        return shard
    }

    private mutating func runResult() -> RunResult {
        RunResult(
            sequenceID: number(), position: small(1 << 20), sampled: list(4) { $0.choice() },
            prompt: list(6) { $0.choice() })
    }

    private mutating func choice() -> TokenChoice {
        TokenChoice(
            token: number(), logprob: -Float.random(in: 0...30, using: &generator),
            top: list(20) { TokenLogprob(token: $0.number(), logprob: -Float.random(in: 0...30, using: &$0.generator)) }
        )
    }

    /// A number of any size: the shift spreads them over all lengths of a varint.
    private mutating func number<Number: FixedWidthInteger & UnsignedInteger>() -> Number {
        Number(truncatingIfNeeded: generator.next())
            >> Number.random(in: 0..<Number(Number.bitWidth), using: &generator)
    }

    private mutating func small(_ limit: UInt32) -> UInt32 { UInt32.random(in: 0...limit, using: &generator) }

    private mutating func bytes(_ count: Int) -> [UInt8] {
        (0..<count).map { _ in UInt8.random(in: 0...255, using: &generator) }
    }

    private mutating func text() -> String {
        String(list(40) { "aZ0 ä漢🙂\n".randomElement(using: &$0.generator) ?? "a" })
    }

    private mutating func list<Element>(_ countMax: Int, _ element: (inout RandomFrames) -> Element) -> [Element] {
        let count = Int.random(in: 0...countMax, using: &generator)
        return (0..<count).map { _ in element(&self) }
    }
}
