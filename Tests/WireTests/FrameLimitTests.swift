// Tests that every limit holds for what is sent and for what arrives.

import Testing

@testable import Wire

/// A frame that breaks one limit, with the field its error names.
struct BrokenFrame: Sendable, CustomTestStringConvertible {
    let field: String
    let frame: Frame

    init(_ field: String, _ message: Message, payload: [UInt8] = []) {
        self.field = field
        frame = Frame(message, payload: payload)
    }

    var testDescription: String { field }

    static let all: [BrokenFrame] =
        hellos + probes + begins + steps + samplings + results + [
            BrokenFrame("Forget.sequenceIDs", .forget(Forget(epoch: 1, sequenceIDs: Array(repeating: 1, count: 4097)))),
            BrokenFrame("Forget.hops", .forget(Forget(epoch: 1, sequenceIDs: [], hops: 1025))),
            BrokenFrame("Failure.shard", .failure(Failure(kind: .gap, reason: "", shard: long))),
            BrokenFrame("Frame.payload", .heartbeat(Heartbeat(sequenceNumber: 1)), payload: [1]),
        ]

    private static let long = String(repeating: "x", count: WireLimits.nameBytesMax + 1)

    private static let hellos = [
        BrokenFrame("Hello.name", .hello(Hello(softwareVersion: "1", name: "", role: .api))),
        BrokenFrame("Hello.name", .hello(Hello(softwareVersion: "1", name: long, role: .api))),
        BrokenFrame("Hello.softwareVersion", .hello(Hello(softwareVersion: long, name: "n", role: .api))),
    ]

    private static let probes: [BrokenFrame] = {
        func shard(_ change: (inout ShardDescription) -> Void) -> Message {
            var shard = ShardDescription()
            shard.layerCount = 64
            change(&shard)
            return .probe(Probe(probeID: 1, shards: [shard]))
        }
        return [
            BrokenFrame("Probe.hops", .probe(Probe(probeID: 1, hops: 1025))),
            BrokenFrame("Probe.shards", .probe(Probe(probeID: 1, shards: Array(repeating: .init(), count: 129)))),
            BrokenFrame("ShardDescription.name", shard { $0.name = long }),
            BrokenFrame("ShardDescription.address", shard { $0.address = long }),
            BrokenFrame("ShardDescription.nextAddress", shard { $0.nextAddress = long }),
            BrokenFrame("ShardDescription.softwareVersion", shard { $0.softwareVersion = long }),
            BrokenFrame("ShardDescription.instructionSet", shard { $0.instructionSet = long }),
            BrokenFrame("ShardDescription.modelFingerprint", shard { $0.modelFingerprint = [1, 2, 3] }),
            BrokenFrame("ShardDescription.modelFingerprint", shard { $0.modelFingerprint = Array(0..<17) }),
            BrokenFrame("ShardDescription.layerCount", shard { $0.layerCount = 1025 }),
            BrokenFrame("ShardDescription.windowLayers", shard { $0.windowLayers = 1025 }),
            BrokenFrame("ShardDescription.layers", shard { $0.layers = [0...64] }),
            BrokenFrame("ShardDescription.layers", shard { $0.layers = [0...4, 4...5] }),
            BrokenFrame("ShardDescription.layers", shard { $0.layers = [8...9, 1...2] }),
            BrokenFrame("ShardDescription.layers", shard { $0.layers = Array(repeating: 0...0, count: 1025) }),
        ]
    }()

    private static let begins = [
        BrokenFrame("Begin.epoch", .begin(Begin(epoch: 0, modelFingerprint: Array(0..<16), activations: .f32))),
        BrokenFrame(
            "Begin.hops", .begin(Begin(epoch: 1, hops: 1025, modelFingerprint: Array(0..<16), activations: .f32))),
        BrokenFrame(
            "Begin.modelFingerprint", .begin(Begin(epoch: 1, modelFingerprint: Array(0..<15), activations: .f32))),
        BrokenFrame(
            "Begin.modelFingerprint", .begin(Begin(epoch: 1, modelFingerprint: Array(0..<17), activations: .f32))),
    ]

    private static let steps: [BrokenFrame] = {
        func step(payloadBytes: Int = 0, _ change: (inout Step) -> Void) -> (Message, [UInt8]) {
            var step = Step(
                epoch: 1, stepID: 1, runs: [SequenceRun(sequenceID: 1, position: 0, tokens: [1, 2], promptCount: 2)])
            change(&step)
            return (.step(step), [UInt8](repeating: 0, count: payloadBytes))
        }
        let broken: [(String, (Message, [UInt8]))] = [
            ("Step.hops", step { $0.hops = 1025 }),
            ("Step.nextLayer", step { $0.nextLayer = 1025 }),
            ("Step.hiddenSize", step(payloadBytes: 4) { $0.hiddenSize = 65537 }),
            ("Step.hiddenSize", step { $0.hiddenSize = 4 }),
            ("Step.runs", step { $0.runs = [] }),
            ("Step.runs", step { $0.runs = Array(repeating: $0.runs[0], count: 1025) }),
            (
                "Step.rowCount",
                step {
                    $0.runs[0].tokens = Array(repeating: 1, count: 3000); $0.runs += $0.runs
                }
            ),
            ("SequenceRun.tokens", step { $0.runs[0].tokens = [] }),
            ("SequenceRun.tokens", step { $0.runs[0].tokens = Array(repeating: 1, count: 4097) }),
            ("SequenceRun.position", step { $0.runs[0].position = UInt32(WireLimits.contextTokensMax) - 1 }),
            ("SequenceRun.position", step { $0.runs[0].position = .max }),
            ("SequenceRun.promptCount", step { $0.runs[0].promptCount = .max }),
            // Drafts need a token before them, something sampled after them, and are no prompt.
            ("SequenceRun.draftCount", step { $0.runs[0].draftCount = 1 }),
            (
                "SequenceRun.draftCount",
                step { ($0.runs[0].draftCount, $0.runs[0].sampling) = (2, Sampling()) }
            ),
            (
                "SequenceRun.draftCount",
                step {
                    ($0.runs[0].draftCount, $0.runs[0].sampling) = (1, Sampling())
                    $0.runs[0].promptLogprobs = PromptLogprobs(top: 0, nextToken: nil)
                }
            ),
            (
                "SequenceRun.draftCount",
                step {
                    ($0.runs[0].draftCount, $0.runs[0].sampling) = (256, Sampling())
                    $0.runs[0].tokens = Array(repeating: 1, count: 300)
                }
            ),
            ("PromptLogprobs.top", step { $0.runs[0].promptLogprobs = PromptLogprobs(top: 21, nextToken: nil) }),
            ("Step.payload", step { $0.nextLayer = 1 }),
            ("Step.payload", step(payloadBytes: 15) { $0.hiddenSize = 4 }),
            ("Step.payload", step(payloadBytes: 64) { $0.hiddenSize = 4 }),
            ("Step.payload", step(payloadBytes: 16) { $0.hiddenSize = 0 }),
        ]
        return broken.map { BrokenFrame($0.0, $0.1.0, payload: $0.1.1) }
    }()

    private static let samplings: [BrokenFrame] = {
        func step(_ change: (inout Sampling) -> Void) -> Message {
            var sampling = Sampling()
            change(&sampling)
            return .step(
                Step(
                    epoch: 1, stepID: 1,
                    runs: [SequenceRun(sequenceID: 1, position: 0, tokens: [1], sampling: sampling, promptCount: 1)]))
        }
        return [
            BrokenFrame("Sampling.temperature", step { $0.temperature = -0.1 }),
            BrokenFrame("Sampling.temperature", step { $0.temperature = .nan }),
            BrokenFrame("Sampling.temperature", step { $0.temperature = .infinity }),
            BrokenFrame("Sampling.topP", step { $0.topP = 1.5 }),
            BrokenFrame("Sampling.minP", step { $0.minP = -1 }),
            BrokenFrame("Sampling.presencePenalty", step { $0.presencePenalty = .infinity }),
            BrokenFrame("Sampling.frequencyPenalty", step { $0.frequencyPenalty = .nan }),
            BrokenFrame("Sampling.repetitionPenalty", step { $0.repetitionPenalty = 0 }),
            BrokenFrame("Sampling.topLogprobs", step { $0.topLogprobs = 21 }),
            BrokenFrame(
                "Sampling.logitBias", step { $0.logitBias = Array(repeating: .init(token: 1, bias: 1), count: 1025) }),
            BrokenFrame("LogitBias.bias", step { $0.logitBias = [LogitBias(token: 1, bias: .nan)] }),
            BrokenFrame("Sampling.bannedTokens", step { $0.bannedTokens = Array(repeating: 1, count: 65) }),
        ]
    }()

    private static let results: [BrokenFrame] = {
        func result(_ runs: [RunResult]) -> Message { .result(StepResult(epoch: 1, stepID: 1, runs: runs)) }
        func run(_ choice: TokenChoice..., prompt: [TokenChoice] = []) -> RunResult {
            RunResult(sequenceID: 1, position: 1, sampled: choice, prompt: prompt)
        }
        func draftsRun(_ count: Int) -> RunResult {
            RunResult(sequenceID: 1, position: 1, sampled: Array(repeating: choice, count: count))
        }
        let choice = TokenChoice(token: 1, logprob: -1)
        let many = Array(repeating: TokenLogprob(token: 1, logprob: -1), count: 21)
        return [
            BrokenFrame("StepResult.hops", .result(StepResult(epoch: 1, stepID: 1, hops: 1025, runs: []))),
            BrokenFrame("StepResult.runs", result(Array(repeating: run(), count: 1025))),
            BrokenFrame("RunResult.position", result([RunResult(sequenceID: 1, position: .max)])),
            BrokenFrame("RunResult.prompt", result([run(prompt: Array(repeating: choice, count: 4097))])),
            BrokenFrame(
                "StepResult.prompt",
                result(Array(repeating: run(prompt: Array(repeating: choice, count: 100)), count: 41))),
            BrokenFrame("RunResult.sampled", result([draftsRun(257)])),
            BrokenFrame("StepResult.sampled", result(Array(repeating: draftsRun(256), count: 17))),
            BrokenFrame("TokenChoice.logprob", result([run(TokenChoice(token: 1, logprob: .nan))])),
            BrokenFrame("TokenChoice.logprob", result([run(TokenChoice(token: 1, logprob: .infinity))])),
            BrokenFrame("TokenChoice.top", result([run(TokenChoice(token: 1, logprob: -1, top: many))])),
            BrokenFrame(
                "TokenLogprob.logprob",
                result([run(TokenChoice(token: 1, logprob: -1, top: [TokenLogprob(token: 1, logprob: .nan)]))])),
        ]
    }()
}

@Suite struct FrameLimitTests {
    @Test(arguments: BrokenFrame.all)
    func isNotSent(broken: BrokenFrame) {
        expectError(naming: broken.field) { () throws(WireError) in _ = try FrameCodec.encode(broken.frame) }
    }

    @Test(arguments: BrokenFrame.all)
    func isNotAccepted(broken: BrokenFrame) {
        let bytes = FrameCodec.pack(broken.frame).message
        expectError(naming: broken.field) { () throws(WireError) in _ = try decode(bytes) }
    }

    @Test func anErrorSaysWhatWasFoundAndAllowed() {
        let frame = Frame(.forget(Forget(epoch: 1, sequenceIDs: Array(repeating: 1, count: 5000))))
        let error = #expect(throws: WireError.self) { try FrameCodec.encode(frame) }
        #expect(error?.description == "Forget.sequenceIDs is 5000 long; allowed is at most 4096")
    }

    private func expectError(naming field: String, _ body: () throws(WireError) -> Void) {
        do throws(WireError) {
            try body()
            Issue.record("\(field) was let through")
        } catch {
            guard case .field(let message, let name, _, _) = error else {
                Issue.record("\(error) does not name \(field)")
                return
            }
            #expect("\(message).\(name)" == field || "\(message).\(name)" == field + ".count")
        }
    }
}
