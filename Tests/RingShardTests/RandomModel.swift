// A Qwen3 checkpoint of random weights in a temporary directory.

import Foundation

/// Removed when it goes.
final class RandomModel: Sendable {
    let path: String

    /// Four layers in bfloat16, 96 tokens, the same weights each time.
    init() throws {
        let directory = FileManager.default.temporaryDirectory.appendingPathComponent("ring-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        path = directory.path
        let configuration: [String: Any] = [
            "model_type": "qwen3", "hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 4,
            "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 32, "vocab_size": 96,
            "rms_norm_eps": 1e-6, "rope_theta": 10000.0, "tie_word_embeddings": true, "hidden_act": "silu",
            "max_position_embeddings": 512,
        ]
        try JSONSerialization.data(withJSONObject: configuration)
            .write(to: directory.appendingPathComponent("config.json"))
        try Self.weights().write(to: directory.appendingPathComponent("model.safetensors"))
    }

    deinit {
        try? FileManager.default.removeItem(atPath: path)
    }

    private static func tensors() -> [(name: String, shape: [Int])] {
        var tensors = [("model.embed_tokens.weight", [96, 64]), ("model.norm.weight", [64])]
        for layer in 0..<4 {
            tensors += [
                ("input_layernorm.weight", [64]), ("post_attention_layernorm.weight", [64]),
                ("self_attn.q_proj.weight", [128, 64]), ("self_attn.k_proj.weight", [64, 64]),
                ("self_attn.v_proj.weight", [64, 64]), ("self_attn.o_proj.weight", [64, 128]),
                ("self_attn.q_norm.weight", [32]), ("self_attn.k_norm.weight", [32]),
                ("mlp.gate_proj.weight", [128, 64]), ("mlp.up_proj.weight", [128, 64]),
                ("mlp.down_proj.weight", [64, 128]),
            ].map { ("model.layers.\(layer).\($0.0)", $0.1) }
        }
        return tensors
    }

    private static func weights() throws -> Data {
        var header: [String: Any] = [:]
        var body = Data()
        var state: UInt64 = 42
        for (name, shape) in tensors() {
            let begin = body.count
            for _ in 0..<shape.reduce(1, *) {
                // Knuth's linear congruential generator; its upper bits are random enough for weights.
                state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
                let unit = Float(state >> 40) / Float(1 << 24) - 0.5
                let value = shape.count == 1 ? 1 + unit / 4 : unit / 2
                withUnsafeBytes(of: UInt16(value.bitPattern >> 16).littleEndian) { body.append(contentsOf: $0) }
            }
            header[name] = ["dtype": "BF16", "shape": shape, "data_offsets": [begin, body.count]]
        }
        let json = try JSONSerialization.data(withJSONObject: header)
        return withUnsafeBytes(of: UInt64(json.count).littleEndian) { Data($0) } + json + body
    }
}
