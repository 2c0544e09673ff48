// The families that GGUF files name, and what their tensors are called elsewhere.

/// A family by `general.architecture`: what config.json calls it, and how its tensors are found under the names that
/// Hugging Face and MLX have for them.
///
/// Another family is another case, and names in the tables below where it has tensors of its own.
struct GGUFArchitecture: Sendable {
    /// `general.architecture`, which its keys begin with.
    enum Name: String, CaseIterable {
        case llama
        case qwen2
        case qwen2moe
        case qwen3
        case qwen3moe
    }

    let name: Name
    let layerCount: Int
    private let heads: Int
    private let keyValueHeads: Int

    static let frequencyFactorsName = "rope_freqs.weight"

    init(_ metadata: GGUFMetadata) throws(CheckpointError) {
        guard let stated = try metadata.text("general.architecture") else {
            throw CheckpointError(.malformed, file: metadata.file.name, "lacks general.architecture")
        }
        guard let name = Name(rawValue: stated) else {
            let known = Name.allCases.map(\.rawValue).joined(separator: ", ")
            throw CheckpointError(
                .unsupported, file: metadata.file.name,
                "is a model of the architecture \(stated.quoted), which is not known in GGUF files; known are \(known)")
        }
        self.name = name
        guard let layers = try metadata.integer("\(stated).block_count") else {
            throw CheckpointError(.malformed, file: metadata.file.name, "lacks '\(stated).block_count'")
        }
        guard 0...CheckpointLimits.layersMax ~= layers else {
            throw CheckpointError(
                .unsupported, file: metadata.file.name,
                "has \(layers) layers; there must be 0 to \(CheckpointLimits.layersMax)")
        }
        layerCount = layers
        heads = try metadata.integers("\(stated).attention.head_count", count: layers)?.first ?? 0
        keyValueHeads = try metadata.integers("\(stated).attention.head_count_kv", count: layers)?.first ?? heads
        guard heads >= 0, keyValueHeads >= 0 else {
            throw CheckpointError(.malformed, file: metadata.file.name, "has a negative number of heads")
        }
    }

    /// A tensor of the file as the rest of the program knows it.
    func entry(_ stored: TensorEntry, fileIndex: Int, file: String) throws(CheckpointError) -> TensorEntry {
        let name = Self.fullName(stored.name)
        var shape = stored.shape
        // The gate of a shared expert, a matrix of one row elsewhere.
        if name.hasSuffix(".mlp.shared_expert_gate.weight"), shape.count == 1 { shape = [1] + shape }
        let order = rowOrder(name)
        if case .rotationPairs(let heads) = order, let rows = shape.first {
            guard heads > 0, rows % (2 * heads) == 0 else {
                throw CheckpointError(
                    .wrongShape, file: file, tensor: stored.name, "its \(rows) rows are not those of \(heads) heads")
            }
        }
        return TensorEntry(
            name: name, elementType: stored.elementType, shape: shape, fileIndex: fileIndex,
            byteOffset: stored.byteOffset, byteCount: stored.byteCount, rowOrder: order)
    }

    /// llama.cpp turns neighbouring columns in Llama, and its converter orders queries and keys for that.
    private func rowOrder(_ name: String) -> RowOrder {
        guard self.name == .llama else { return .natural }
        if name.contains(".self_attn.q_proj.") { return .rotationPairs(heads: heads) }
        if name.contains(".self_attn.k_proj.") { return .rotationPairs(heads: keyValueHeads) }
        return .natural
    }

    // MARK: Names

    private static let ends = [
        "token_embd": "model.embed_tokens", "output_norm": "model.norm", "output": "lm_head",
    ]
    private static let modules = [
        "attn_norm": "input_layernorm", "attn_q": "self_attn.q_proj", "attn_k": "self_attn.k_proj",
        "attn_v": "self_attn.v_proj", "attn_output": "self_attn.o_proj", "attn_q_norm": "self_attn.q_norm",
        "attn_k_norm": "self_attn.k_norm", "ffn_norm": "post_attention_layernorm", "ffn_gate": "mlp.gate_proj",
        "ffn_up": "mlp.up_proj", "ffn_down": "mlp.down_proj", "ffn_gate_inp": "mlp.gate",
        "ffn_gate_exps": "mlp.switch_mlp.gate_proj", "ffn_up_exps": "mlp.switch_mlp.up_proj",
        "ffn_down_exps": "mlp.switch_mlp.down_proj", "ffn_gate_inp_shexp": "mlp.shared_expert_gate",
        "ffn_gate_shexp": "mlp.shared_expert.gate_proj", "ffn_up_shexp": "mlp.shared_expert.up_proj",
        "ffn_down_shexp": "mlp.shared_expert.down_proj",
    ]

    /// `blk.3.attn_q.weight` is `model.layers.3.self_attn.q_proj.weight`; a name that is not known stays.
    static func fullName(_ name: String) -> String {
        let parts = name.split(separator: ".", omittingEmptySubsequences: false).map(String.init)
        if parts.count == 2, let module = ends[parts[0]] { return "\(module).\(parts[1])" }
        guard parts.count >= 4, parts[0] == "blk" else { return name }
        if parts.count == 4, let module = modules[parts[2]] {
            return "model.layers.\(parts[1]).\(module).\(parts[3])"
        }
        // Experts that are kept apart, as older files have them: blk.3.ffn_gate.7.weight.
        let experts = ["ffn_gate": "gate_proj", "ffn_up": "up_proj", "ffn_down": "down_proj"]
        if parts.count == 5, let module = experts[parts[2]] {
            return "model.layers.\(parts[1]).mlp.experts.\(parts[3]).\(module).\(parts[4])"
        }
        return name
    }
}
