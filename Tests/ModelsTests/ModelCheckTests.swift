// Checkpoints whose tensors do not fit their configuration are refused by name before weights are read.

import Testing
import Weights

@testable import Models

@Suite struct ModelCheckTests {
    private func check(
        _ original: TestCheckpoint, layers: Range<Int> = 0..<2, replacing found: String = "",
        by replacement: String = ""
    ) throws {
        let edited = try EditedCheckpoint(original, replacing: found, by: replacement)
        let checkpoint = try Checkpoint(directory: edited.directory)
        let model = try ModelRegistry.model(for: ModelConfig(json: checkpoint.configurationJSON))
        try model.check(checkpoint, layers: layers, embedding: true, head: true)
    }

    private func refusal(
        _ original: TestCheckpoint, layers: Range<Int> = 0..<2, replacing found: String, by replacement: String
    ) throws -> CheckpointError {
        try #require(throws: CheckpointError.self) {
            try check(original, layers: layers, replacing: found, by: replacement)
        }
    }

    private let plain = TestCheckpoint.own[0]
    private let quantized = TestCheckpoint.own[1]

    @Test(arguments: TestCheckpoint.huggingFace)
    func wholeCheckpointsPass(_ checkpoint: TestCheckpoint) throws {
        try check(checkpoint)
    }

    @Test func aLayerThatIsNotThere() throws {
        let error = try refusal(
            plain, layers: 0..<3, replacing: "\"num_hidden_layers\": 2", by: "\"num_hidden_layers\": 3")
        #expect(error.kind == .missingTensor)
        #expect(error.tensor == "model.layers.2.self_attn.q_proj.weight")
    }

    @Test func aMatrixOfAnotherShape() throws {
        let error = try refusal(plain, replacing: "\"intermediate_size\": 64", by: "\"intermediate_size\": 96")
        #expect(error.kind == .wrongShape)
        #expect(error.tensor == "model.layers.0.mlp.gate_proj.weight")
        #expect(error.description.contains("[96, 64]") && error.description.contains("[64, 64]"))
    }

    @Test func aVocabularyOfAnotherSize() throws {
        let error = try refusal(plain, replacing: "\"vocab_size\": 96", by: "\"vocab_size\": 97")
        #expect(error.tensor == "model.embed_tokens.weight")
    }

    @Test func biasesThatAreNotThere() throws {
        let error = try refusal(
            quantized, replacing: "\"rms_norm_eps\"", by: "\"attention_bias\": true, \"rms_norm_eps\"")
        #expect(error.tensor == "model.layers.0.self_attn.q_proj.bias")
    }

    @Test func aHeadThatIsNeitherTiedNorThere() throws {
        let error = try refusal(
            quantized, replacing: "\"tie_word_embeddings\": true", by: "\"tie_word_embeddings\": false")
        #expect(error.tensor == "lm_head.weight")
    }

    @Test func quantizedWeightsThatNobodyDescribes() throws {
        let error = try refusal(quantized, replacing: "\"quantization\"", by: "\"something_else\"")
        #expect(
            error.description
                == "tensor 'model.layers.0.self_attn.q_proj.scales': is there, but config.json does not say how "
                + "model.layers.0.self_attn.q_proj is quantized")
    }

    @Test func groupsThatDoNotDivideARow() throws {
        let error = try refusal(quantized, replacing: "\"group_size\": 32", by: "\"group_size\": 48")
        #expect(
            error.description
                == "tensor 'model.layers.0.self_attn.q_proj.weight': rows of 64 inputs do not divide into groups of 48 of 4 bits"
        )
    }

    @Test func otherBitsThanThoseStored() throws {
        let error = try refusal(quantized, replacing: "\"bits\": 4", by: "\"bits\": 8")
        #expect(error.kind == .wrongShape && error.tensor == "model.layers.0.self_attn.q_proj.weight")
    }
}
