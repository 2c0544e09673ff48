// Frames with the bytes that protoc's own encoder makes of them.
//
// Each text was encoded with `protoc --proto_path=proto --encode=ring.Frame ring.proto | xxd -p`.

import Testing
import Wire

/// A frame beside protobuf's text of it and what protoc 3.21.12 encodes that text to.
struct GoldenFrame: Sendable, CustomTestStringConvertible {
    let frame: Frame
    let text: String
    let bytes: [UInt8]

    /// The message's name.
    var testDescription: String { String(text.prefix { $0 != " " }) }

    private init(_ frame: Frame, text: String, hex: String) {
        self.frame = frame
        self.text = text
        let digits = hex.utf8.map { $0 >= UInt8(ascii: "a") ? $0 - UInt8(ascii: "a") + 10 : $0 - UInt8(ascii: "0") }
        bytes = stride(from: 0, to: digits.count, by: 2).map { digits[$0] << 4 | digits[$0 + 1] }
    }

    static let fingerprint = Array("0123456789abcdef".utf8)

    static let all: [GoldenFrame] = [
        GoldenFrame(
            Frame(.hello(Hello(protocolVersion: 1, softwareVersion: "0.1.0", name: "shard-a", role: .shard))),
            text: #"""
                hello { protocol_version: 1 software_version: "0.1.0" name: "shard-a" role: ROLE_SHARD }
                """#,
            hex: "0a1408011205302e312e301a0773686172642d612002"),
        GoldenFrame(
            Frame(.heartbeat(Heartbeat(sequenceNumber: .max))),
            text: #"""
                heartbeat { sequence_number: 18446744073709551615 }
                """#,
            hex: "120b08ffffffffffffffffff01"),
        GoldenFrame(
            Frame(.probe(Probe(probeID: 7, hops: 2, shards: [shard, ShardDescription()]))),
            text: #"""
                probe { probe_id: 7 hops: 2 shards { name: "a" software_version: "0.1.0" address:
                "10.0.0.1:50501" next_address: "10.0.0.2:50501" model_fingerprint: "0123456789abcdef"
                layer_count: 64 layers { first: 0 last: 17 } layers { first: 36 last: 53 } window_layers: 4
                weight_bytes: 5000000000 cache_bytes: 1 cache_bytes_max: 2 resident_bytes: 3 threads: 8 exact:
                true sequences: 5 instruction_set: "AVX2" context_tokens_max: 40960 pass { bytes_read: 9
                stall_nanoseconds: 10 compute_nanoseconds: 11 } cache_bytes_per_token: 4096
                cache_bytes_per_token_windowed: 1024 } shards { pass { } } }
                """#,
            hex: "1a8401080710021a790a01611205302e312e301a0e31302e302e302e313a3530353031220e31302e302e302e323a353035"
                + "30312a103031323334353637383961626364656630403a0210113a040824103540044880e497d0125001580260036808"
                + "7001780582010441565832880180c0029201060809100a180b98018020a00180081a03920100"),
        GoldenFrame(
            Frame(.begin(Begin(epoch: 1, hops: 3, modelFingerprint: fingerprint, activations: .bf16))),
            text: #"""
                begin { epoch: 1 hops: 3 model_fingerprint: "0123456789abcdef" activations:
                ACTIVATION_FORMAT_BF16 }
                """#,
            hex: "2218080110031a10303132333435363738396162636465662002"),
        GoldenFrame(
            Frame(.step(step), payload: Array(0..<12)),
            text: #"""
                step { epoch: 300 step_id: 4 next_layer: 18 hops: 1 runs { sequence_id: 9 position: 12 tokens: 1
                tokens: 151643 sampling { temperature: 0.5 top_k: 40 top_p: 0.75 min_p: 0.0625 seed:
                18446744073709551615 presence_penalty: -1.5 frequency_penalty: 2 repetition_penalty: 1.25
                logprobs: true top_logprobs: 20 logit_bias { token: 3 bias: -100 } logit_bias { bias: 1 }
                banned_tokens: 5 banned_tokens: 6 } prompt_count: 13 prompt_logprobs { top: 2 next_token: 0
                has_next_token: true } } runs { sequence_id: 11 position: 7 tokens: 3 tokens: 4 tokens: 300 sampling {
                top_p: 1 repetition_penalty: 1 } prompt_count: 7 draft_count: 2 } runs { sequence_id: 10 position: 7
                tokens: 0 prompt_count: 1 parent_id: 300 } checksum: 81985529216486895 hidden_size: 1 compute_nanoseconds: 1000000 } payload:
                "\000\001\002\003\004\005\006\007\010\011\012\013"
                """#,
            hex: "2a9b0108ac021004181220012a570809100c1a0401dba00922430d0000003f10281d0000403f250000803d28ffffffff"
                + "ffffffffff01350000c0bf3d00000040450000a03f480150145a070803150000c8c25a05150000803f62020506280d32"
                + "04080218012a1a080b10071a040304ac02220a1d0000803f450000803f280740022a0c080a10071a0100280138ac0231"
                + "efcdab8967452301380140c0843d7a0c000102030405060708090a0b"),
        GoldenFrame(
            Frame(.result(result)),
            text: #"""
                result { epoch: 1 step_id: 2 hops: 3 runs { sequence_id: 4 position: 5 sampled { token: 6
                logprob: -0.5 top { token: 6 logprob: -0.5 } top { token: 7 logprob: -inf } } prompt { token: 8
                logprob: -2 } } runs { sequence_id: 6 position: 1 sampled { token: 1 logprob: -1 } sampled { token: 300
                logprob: -2 } } runs { sequence_id: 5 position: 1 } compute_nanoseconds: 12 }
                """#,
            hex: "32510801100218032228080410051a19080615000000bf1a07080615000000bf1a07080715000080ff22070808150000"
                + "00c02217080610011a07080115000080bf1a0808ac0215000000c0220408051001280c"),
        GoldenFrame(
            Frame(.forget(Forget(epoch: 1, sequenceIDs: [1, 300, .max], hops: 4))),
            text: #"""
                forget { epoch: 1 sequence_ids: 1 sequence_ids: 300 sequence_ids: 18446744073709551615 hops: 4 }
                """#,
            hex: "3a130801120d01ac02ffffffffffffffffff011804"),
        GoldenFrame(
            Frame(
                .failure(
                    Failure(
                        kind: .compute, reason: "die Gewichte fehlen: ä", shard: "b", epoch: 1, stepID: 2,
                        sequenceID: 3,
                        probeID: 4))),
            text: #"""
                failure { kind: FAILURE_KIND_COMPUTE reason: "die Gewichte fehlen: \303\244" shard: "b" epoch: 1
                step_id: 2 sequence_id: 3 probe_id: 4 }
                """#,
            hex: "4226080a1217646965204765776963687465206665686c656e3a20c3a41a01622001280230033804"),
    ]

    private static let shard: ShardDescription = {
        var shard = ShardDescription()
        shard.name = "a"
        shard.softwareVersion = "0.1.0"
        shard.address = "10.0.0.1:50501"
        shard.nextAddress = "10.0.0.2:50501"
        shard.modelFingerprint = fingerprint
        shard.layerCount = 64
        shard.layers = [0...17, 36...53]
        shard.windowLayers = 4
        shard.weightBytes = 5_000_000_000
        shard.cacheBytes = 1
        shard.cacheBytesMax = 2
        shard.cacheBytesPerToken = 4096
        shard.cacheBytesPerTokenWindowed = 1024
        shard.residentBytes = 3
        shard.threads = 8
        shard.exact = true
        shard.sequences = 5
        shard.instructionSet = "AVX2"
        shard.contextTokensMax = 40960
        shard.pass = PassStatistics(bytesRead: 9, stallNanoseconds: 10, computeNanoseconds: 11)
        return shard
    }()

    private static let step: Step = {
        var sampling = Sampling()
        sampling.temperature = 0.5
        sampling.topK = 40
        sampling.topP = 0.75
        sampling.minP = 0.0625
        sampling.seed = .max
        sampling.presencePenalty = -1.5
        sampling.frequencyPenalty = 2
        sampling.repetitionPenalty = 1.25
        sampling.logprobs = true
        sampling.topLogprobs = 20
        sampling.logitBias = [LogitBias(token: 3, bias: -100), LogitBias(token: 0, bias: 1)]
        sampling.bannedTokens = [5, 6]
        return Step(
            epoch: 300, stepID: 4, nextLayer: 18, hops: 1,
            runs: [
                SequenceRun(
                    sequenceID: 9, position: 12, tokens: [1, 151_643], sampling: sampling, promptCount: 13,
                    promptLogprobs: PromptLogprobs(top: 2, nextToken: 0)),
                SequenceRun(
                    sequenceID: 11, position: 7, tokens: [3, 4, 300], draftCount: 2, sampling: Sampling(),
                    promptCount: 7),
                SequenceRun(sequenceID: 10, position: 7, tokens: [0], promptCount: 1, parentID: 300),
            ],
            checksum: 0x0123_4567_89AB_CDEF, hiddenSize: 1, computeNanoseconds: 1_000_000)
    }()

    private static let result = StepResult(
        epoch: 1, stepID: 2, hops: 3,
        runs: [
            RunResult(
                sequenceID: 4, position: 5,
                sampled: [
                    TokenChoice(
                        token: 6, logprob: -0.5,
                        top: [TokenLogprob(token: 6, logprob: -0.5), TokenLogprob(token: 7, logprob: -.infinity)])
                ],
                prompt: [TokenChoice(token: 8, logprob: -2)]),
            RunResult(
                sequenceID: 6, position: 1,
                sampled: [TokenChoice(token: 1, logprob: -1), TokenChoice(token: 300, logprob: -2)]),
            RunResult(sequenceID: 5, position: 1),
        ],
        computeNanoseconds: 12)
}
