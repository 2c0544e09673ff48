// Configurations that are read, and each way in which one is refused.

import Tensors
import Testing

@testable import Models

@Suite struct ModelConfigTests {
    static let complete = """
        {"model_type": "qwen3", "hidden_size": 64, "num_hidden_layers": 3, "intermediate_size": 128,
         "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 32, "vocab_size": 96, "rms_norm_eps": 1e-6,
         "max_position_embeddings": 4096, "rope_theta": 1000000, "rope_scaling": null, "hidden_act": "silu",
         "tie_word_embeddings": true, "use_sliding_window": false}
        """

    static func model(_ json: String) throws(ConfigError) -> any Model {
        try ModelRegistry.model(for: ModelConfig(json: Array(json.utf8)))
    }

    /// The configuration with `field` replaced by `value`, or left out.
    static func edited(_ field: String, _ value: String?) -> String {
        let parts = complete.dropFirst().dropLast().split(separator: ",").filter { !$0.contains("\"\(field)\":") }
        return "{" + (parts + (value.map { ["\"\(field)\": \($0)"] } ?? [])).joined(separator: ",") + "}"
    }

    @Test func aQwen3ConfigurationGivesItsShape() throws {
        let model = try Self.model(Self.complete)
        let cache = CacheShape(heads: 2, keyDimension: 32, valueDimension: 32)
        #expect(
            model.shape
                == ModelShape(
                    hiddenSize: 64, vocabularySize: 96, contextTokensMax: 4096, caches: [cache, cache, cache]))
        #expect(model.tiesEmbedding)
        #expect(model.layerPrefix(2) == "model.layers.2.")
    }

    @Test func whatMayBeLeftOutHasTheValueThatTransformersGivesIt() throws {
        #expect(try Self.model(Self.edited("head_dim", nil)).shape.caches[0].keyDimension == 16)
        #expect(try Self.model(Self.edited("num_key_value_heads", nil)).shape.caches[0].heads == 4)
        #expect(try !Self.model(Self.edited("tie_word_embeddings", nil)).tiesEmbedding)
    }

    @Test func yarnStretchesTheContext() throws {
        let scaling = #"{"rope_type": "yarn", "factor": 4, "original_max_position_embeddings": 2048}"#
        #expect(try Self.model(Self.edited("rope_scaling", scaling)).shape.contextTokensMax == 8192)
    }

    @Test(arguments: [
        ("hidden_size", nil, "config.json: hidden_size is missing; it must be a whole number from 1 to 65536"),
        ("hidden_size", "\"64\"", "config.json: hidden_size is \"64\"; it must be a whole number from 1 to 65536"),
        ("hidden_size", "64.5", "config.json: hidden_size is 64.5; it must be a whole number from 1 to 65536"),
        ("hidden_size", "1e30", "config.json: hidden_size is 1e+30; it must be a whole number from 1 to 65536"),
        ("num_hidden_layers", "0", "config.json: num_hidden_layers is 0; it must be a whole number from 1 to 1024"),
        (
            "num_key_value_heads", "3",
            "config.json: num_key_value_heads is 3; it must be a divisor of num_attention_heads, 4"
        ),
        ("hidden_act", "\"gelu\"", "config.json: hidden_act is \"gelu\"; it must be \"silu\""),
        ("tie_word_embeddings", "1", "config.json: tie_word_embeddings is 1; it must be true or false"),
        ("rms_norm_eps", "[1]", "config.json: rms_norm_eps is [1]; it must be a number from 0.0 to 1.0"),
        (
            "use_sliding_window", "true",
            """
            config.json: use_sliding_window is true; \
            it must be false: layers of this family attend to the whole sequence here
            """
        ),
        ("rope_scaling", "[]", "config.json: rope_scaling is []; it must be an object"),
        (
            "rope_scaling", #"{"type": "proportional", "factor": 2}"#,
            "config.json: rope_scaling.type is \"proportional\"; it must be one of \"default\", \"linear\", \"dynamic\", "
                + "\"llama3\", \"yarn\", \"longrope\", \"su\""
        ),
        (
            "rope_scaling", #"{"rope_type": "yarn"}"#,
            "config.json: rope_scaling.factor is missing; it must be a number from 1.0 to 1000000.0"
        ),
        (
            "partial_rotary_factor", "0.1",
            """
            config.json: heads of 32 columns with partial_rotary_factor 0.1 have 3 to rotate; \
            that must be an even number of at least 2
            """
        ),
        (
            "model_type", "\"mamba\"",
            "config.json: model_type is \"mamba\"; it must be one of the families known here: deepseek_v2, "
                + "deepseek_v3, gemma3, gemma3_text, glm4_moe, gpt_oss, kimi_k2, llama, mistral, phi3, qwen2, qwen2_moe, "
                + "qwen3, qwen3_moe"
        ),
        ("model_type", "7", "config.json: model_type is 7; it must be the name of a model family, as a string"),
        (
            "quantization", #"{"group_size": 32, "bits": 4, "mode": "ternary"}"#,
            "config.json: quantization.mode is \"ternary\"; it must be one of \"affine\", \"mxfp4\", \"mxfp8\", \"nvfp4\""
        ),
        (
            "quantization", #"{"group_size": 64, "bits": 4, "mode": "mxfp4"}"#,
            "config.json: quantization.group_size is 64; it must be a whole number from 32 to 32"
        ),
        (
            "quantization", #"{"group_size": 64}"#,
            "config.json: quantization.bits is missing; it must be a whole number from 1 to 8"
        ),
        (
            "quantization_config", #"{"quant_method": "awq", "bits": 4}"#,
            """
            config.json: the weights are quantized by the method "awq", which is not supported; \
            use the model in bf16, or converted to one of MLX's quantizations
            """
        ),
        (
            "quantization_config", #"{"quant_method": "fp8", "weight_block_size": [64, 64]}"#,
            "config.json: quantization_config.weight_block_size is [64, 64]; it must be [128, 128]"
        ),
    ])
    func aWrongFieldIsNamedWithWhatIsAllowed(_ field: String, _ value: String?, _ message: String) throws {
        let error = try #require(throws: ConfigError.self) { try Self.model(Self.edited(field, value)) }
        #expect(error.description == message)
    }

    @Test(arguments: ["", "{", "[]", "nonsense", #"{"model_type": "qwen3"} x"#])
    func whatIsNoJSONObjectIsRefused(_ text: String) {
        #expect(throws: ConfigError.self) { try Self.model(text) }
    }
}

@Suite struct QuantizationSchemeTests {
    private func scheme(_ section: String) throws -> QuantizationScheme {
        try ModelConfig(json: Array(ModelConfigTests.edited("quantization", section).utf8)).quantization
    }

    @Test func modulesHaveTheCommonPackingUnlessTheyHaveTheirOwn() throws {
        let scheme = try scheme(
            """
            {"group_size": 64, "bits": 4, "mode": "affine",
             "model.embed_tokens": {"group_size": 32, "bits": 8}, "lm_head": false, "model.layers.0.mlp.up_proj": true}
            """)
        let common = QuantizationParameters.affine(AffineQuantization(bits: 4, group: 64))
        #expect(scheme.parameters(forModule: "model.layers.0.mlp.down_proj") == common)
        #expect(scheme.parameters(forModule: "model.layers.0.mlp.up_proj") == common)
        #expect(
            scheme.parameters(forModule: "model.embed_tokens") == .affine(AffineQuantization(bits: 8, group: 32)))
        #expect(scheme.parameters(forModule: "lm_head") == nil)
    }

    @Test func aConfigurationThatSaysNothingQuantizesNothing() throws {
        let config = try ModelConfig(json: Array(ModelConfigTests.complete.utf8))
        #expect(config.quantization.parameters(forModule: "lm_head") == nil)
    }
}
