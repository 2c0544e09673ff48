// Configurations as they are published: sizes, windows, and bytes of cache by each family's formula.

import Tensors
import Testing

@testable import Models

@Suite struct PublishedConfigTests {
    private func model(_ json: String) throws -> any Model {
        try ModelRegistry.model(for: ModelConfig(json: Array(json.utf8)))
    }

    /// google/gemma-3-4b-it, which leaves out most of the text model's sizes.
    @Test func gemma3() throws {
        let model = try model(
            """
            {"architectures": ["Gemma3ForConditionalGeneration"], "boi_token_index": 255999, "eos_token_id": [1, 106],
             "mm_tokens_per_image": 256, "model_type": "gemma3", "torch_dtype": "bfloat16",
             "text_config": {"hidden_size": 2560, "intermediate_size": 10240, "model_type": "gemma3_text",
                             "num_hidden_layers": 34, "rope_scaling": {"factor": 8.0, "rope_type": "linear"},
                             "sliding_window": 1024},
             "vision_config": {"hidden_size": 1152, "num_hidden_layers": 27}}
            """)
        let shape = model.shape
        #expect(shape.layerCount == 34 && shape.hiddenSize == 2560 && shape.vocabularySize == 262_208)
        #expect(shape.contextTokensMax == 131_072)
        // Every sixth layer attends to all tokens.
        #expect(shape.caches.indices.filter { shape.caches[$0].window == nil } == [5, 11, 17, 23, 29])
        #expect(shape.caches[0].window == 1024)
        // (keys + values) · 4 heads · 256 columns · 2 bytes a layer
        #expect(shape.cacheBytesPerToken(as: .f16) == 34 * 2 * 4 * 256 * 2)
        #expect(model.layerPrefix(3) == "language_model.model.layers.3." && model.tiesEmbedding)
        #expect(model.rotaryEmbeddings[0].inverseFrequencies[0] == 0.125)
        #expect(model.rotaryEmbeddings[1].inverseFrequencies[0] == 1)
    }

    /// openai/gpt-oss-20b.
    @Test func gptOss() throws {
        let types = (0..<24).map { $0 % 2 == 0 ? "\"sliding_attention\"" : "\"full_attention\"" }
        let model = try model(
            """
            {"architectures": ["GptOssForCausalLM"], "attention_bias": true, "attention_dropout": 0.0,
             "eos_token_id": 200002, "experts_per_token": 4, "head_dim": 64, "hidden_act": "silu", "hidden_size": 2880,
             "initial_context_length": 4096, "intermediate_size": 2880, "layer_types": [\(types.joined(separator: ", "))],
             "max_position_embeddings": 131072, "model_type": "gpt_oss", "num_attention_heads": 64,
             "num_experts_per_tok": 4, "num_hidden_layers": 24, "num_key_value_heads": 8, "num_local_experts": 32,
             "quantization_config": {"modules_to_not_convert": ["model.layers.*.self_attn", "lm_head"],
                                     "quant_method": "mxfp4"},
             "rms_norm_eps": 1e-05, "rope_scaling": {"beta_fast": 32.0, "beta_slow": 1.0, "factor": 32.0,
             "original_max_position_embeddings": 4096, "rope_type": "yarn", "truncate": false}, "rope_theta": 150000,
             "sliding_window": 128, "swiglu_limit": 7.0, "tie_word_embeddings": false, "vocab_size": 201088}
            """)
        #expect(model.shape.caches.map(\.window) == (0..<24).map { $0 % 2 == 0 ? 128 : nil })
        #expect(model.shape.cacheBytesPerToken(as: .f16) == 24 * 2 * 8 * 64 * 2)
        #expect(model.shape.contextTokensMax == 131_072)
    }

    /// moonshotai/Kimi-K2-Instruct.
    @Test func kimiK2() throws {
        let model = try model(
            """
            {"architectures": ["DeepseekV3ForCausalLM"], "attention_bias": false, "first_k_dense_replace": 1,
             "hidden_act": "silu", "hidden_size": 7168, "intermediate_size": 18432, "kv_lora_rank": 512,
             "max_position_embeddings": 131072, "model_type": "kimi_k2", "moe_intermediate_size": 2048,
             "moe_layer_freq": 1, "n_group": 1, "n_routed_experts": 384, "n_shared_experts": 1, "norm_topk_prob": true,
             "num_attention_heads": 64, "num_experts_per_tok": 8, "num_hidden_layers": 61, "num_key_value_heads": 64,
             "num_nextn_predict_layers": 0, "q_lora_rank": 1536, "qk_nope_head_dim": 128, "qk_rope_head_dim": 64,
             "quantization_config": {"activation_scheme": "dynamic", "fmt": "e4m3", "quant_method": "fp8",
                                     "weight_block_size": [128, 128]},
             "rms_norm_eps": 1e-06, "rope_scaling": {"beta_fast": 1.0, "beta_slow": 1.0, "factor": 32.0, "mscale": 1.0,
             "mscale_all_dim": 1.0, "original_max_position_embeddings": 4096, "type": "yarn"}, "rope_theta": 50000.0,
             "routed_scaling_factor": 2.827, "scoring_func": "sigmoid", "tie_word_embeddings": false, "topk_group": 1,
             "topk_method": "noaux_tc", "v_head_dim": 128, "vocab_size": 163840}
            """)
        #expect(model.shape.layerCount == 61)
        #expect(model.shape.cacheBytesPerToken(as: .f16) == 61 * (512 + 64) * 2)
    }

    /// microsoft/Phi-4-mini-instruct, with its lists of factors shortened to their lengths.
    @Test func phi4Mini() throws {
        let ones = Array(repeating: "1", count: 48).joined(separator: ", ")
        let long = (0..<48).map { "\(1 + $0)" }.joined(separator: ", ")
        let model = try model(
            """
            {"architectures": ["Phi3ForCausalLM"], "attention_bias": false, "hidden_act": "silu", "hidden_size": 3072,
             "intermediate_size": 8192, "max_position_embeddings": 131072, "model_type": "phi3",
             "num_attention_heads": 24, "num_hidden_layers": 32, "num_key_value_heads": 8,
             "original_max_position_embeddings": 4096, "partial_rotary_factor": 0.75, "rms_norm_eps": 1e-05,
             "rope_scaling": {"long_factor": [\(long)], "short_factor": [\(ones)], "type": "longrope"},
             "rope_theta": 10000.0, "sliding_window": 262144, "tie_word_embeddings": true, "vocab_size": 200064}
            """)
        #expect(model.shape.cacheBytesPerToken(as: .f16) == 32 * 2 * 8 * 128 * 2)
        let rotary = try #require(model.rotaryEmbeddings.first)
        #expect(rotary.dimension == 96 && rotary.inverseFrequencies[0] == 1 && rotary.inverseFrequencies[1] < 0.5)
        // √(1 + ln 32 / ln 4096)
        #expect(abs(rotary.scaling.magnitude - 1.190238) < 1e-6)
    }

    /// zai-org/GLM-4.5-Air.
    @Test func glm4MoE() throws {
        let model = try model(
            """
            {"architectures": ["Glm4MoeForCausalLM"], "attention_bias": true, "head_dim": 128, "hidden_act": "silu",
             "hidden_size": 4096, "partial_rotary_factor": 0.5, "intermediate_size": 10944,
             "max_position_embeddings": 131072, "model_type": "glm4_moe", "moe_intermediate_size": 1408, "n_group": 1,
             "topk_group": 1, "n_routed_experts": 128, "n_shared_experts": 1, "norm_topk_prob": true,
             "num_attention_heads": 96, "num_experts_per_tok": 8, "first_k_dense_replace": 1, "num_hidden_layers": 46,
             "num_key_value_heads": 8, "num_nextn_predict_layers": 1, "rms_norm_eps": 1e-05, "rope_scaling": null,
             "rope_theta": 1000000, "routed_scaling_factor": 1.0, "tie_word_embeddings": false, "use_qk_norm": false,
             "vocab_size": 151552}
            """)
        #expect(model.shape.cacheBytesPerToken(as: .f16) == 46 * 2 * 8 * 128 * 2)
        #expect(model.rotaryEmbeddings[0].dimension == 64)
    }

    @Test(arguments: [
        (#""sliding_window": 0"#, "config.json: sliding_window is 0; it must be a whole number from 1 to 268435456"),
        (
            #""layer_types": ["full_attention"]"#,
            "config.json: layer_types is [\"full_attention\"]; it must be a list of 2, each one of \"full_attention\", "
                + "\"sliding_attention\""
        ),
        (
            #""final_logit_softcapping": 30.0"#,
            "config.json: final_logit_softcapping is 30; it must be null: Gemma 3 has no soft caps"
        ),
        (
            #""hidden_activation": "relu""#,
            "config.json: hidden_activation is \"relu\"; it must be \"gelu_pytorch_tanh\""
        ),
    ])
    func whatGemma3DoesNotDoIsRefused(_ field: String, _ message: String) throws {
        let error = try #require(throws: ConfigError.self) {
            try model(#"{"model_type": "gemma3_text", "num_hidden_layers": 2, \#(field)}"#)
        }
        #expect(error.description == message)
    }

    @Test(arguments: [
        (
            #""topk_group": 1, "n_group": 4"#,
            "config.json: topk_group is 1; it must be so large that these groups have 3 experts"
        ),
        (#""n_group": 3"#, "config.json: n_group is 3; it must be a divisor of n_routed_experts, 8"),
        (
            #""scoring_func": "sigmoid""#,
            "config.json: scoring_func is \"sigmoid\"; it must be \"softmax\" with topk_method \"greedy\""
        ),
        (#""kv_lora_rank": 5000"#, "config.json: kv_lora_rank is 5000; it must be a whole number from 1 to 4096"),
    ])
    func whatDeepSeekDoesNotDoIsRefused(_ field: String, _ message: String) throws {
        let error = try #require(throws: ConfigError.self) {
            try model(
                """
                {\(field.contains("kv_lora_rank") ? "" : "\"kv_lora_rank\": 32,") "model_type": "deepseek_v2",
                 "num_hidden_layers": 2, "num_attention_heads": 4, "hidden_size": 64, "intermediate_size": 64,
                 "moe_intermediate_size": 32, "vocab_size": 96, "rms_norm_eps": 1e-6, "max_position_embeddings": 64,
                 "rope_theta": 10000, "qk_nope_head_dim": 16, "qk_rope_head_dim": 8, "v_head_dim": 16,
                 "n_routed_experts": 8, "num_experts_per_tok": 3, \(field)}
                """)
        }
        #expect(error.description == message)
    }
}
