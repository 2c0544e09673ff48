// config.json, as the metadata of GGUF files says it.

/// The fields that families read, made of a GGUF file's metadata and of what its tensors show.
struct GGUFConfiguration {
    /// A JSON object.
    let json: [UInt8]

    init(
        _ architecture: GGUFArchitecture, _ metadata: GGUFMetadata, _ tensors: [String: TensorEntry],
        frequencyFactors: [Float]?
    ) throws(CheckpointError) {
        let reader = Reader(
            prefix: architecture.name.rawValue + ".", layers: architecture.layerCount, metadata: metadata,
            tensors: tensors, frequencyFactors: frequencyFactors)
        var fields = try reader.commonFields(architecture.name)
        switch architecture.name {
        case .llama:
            fields += [
                ("attention_bias", .flag(reader.hasTensor("self_attn.q_proj.bias"))),
                ("mlp_bias", .flag(reader.hasTensor("mlp.gate_proj.bias"))),
            ]
        case .qwen2: break
        case .qwen3: fields.append(("attention_bias", .flag(reader.hasTensor("self_attn.q_proj.bias"))))
        case .qwen2moe:
            fields += try reader.mixtureFields(normalizes: false)
            let shared =
                try metadata.integer(reader.prefix + "expert_shared_feed_forward_length")
                ?? reader.tensor("mlp.shared_expert.up_proj.weight")?.shape.first
            if let shared { fields.append(("shared_expert_intermediate_size", .integer(shared))) }
        case .qwen3moe:
            fields += try reader.mixtureFields(normalizes: true)
            fields.append(("attention_bias", .flag(reader.hasTensor("self_attn.q_proj.bias"))))
        }
        json = Array(JSONText.object(fields).text.utf8)
    }
}

/// JSON to be written.
private enum JSONText {
    case integer(Int)
    case number(Double)
    case float(Float)
    case flag(Bool)
    /// Of letters, digits and underscores.
    case word(String)
    case array([JSONText])
    case object([(String, JSONText)])

    var text: String {
        switch self {
        case .integer(let value): "\(value)"
        case .number(let value): "\(value)"
        case .float(let value): "\(value)"
        case .flag(let value): "\(value)"
        case .word(let value): "\"\(value)\""
        case .array(let values): "[" + values.map(\.text).joined(separator: ",") + "]"
        case .object(let members): "{" + members.map { "\"\($0)\":\($1.text)" }.joined(separator: ",") + "}"
        }
    }
}

/// Reads metadata in terms of config.json.
private struct Reader {
    typealias Fields = [(String, JSONText)]

    /// Of the architecture's keys, dot included.
    let prefix: String
    let layers: Int
    let metadata: GGUFMetadata
    let tensors: [String: TensorEntry]
    let frequencyFactors: [Float]?

    /// A tensor of the first layer that has it.
    func tensor(_ name: String) -> TensorEntry? {
        (0..<layers).lazy.compactMap { tensors["model.layers.\($0).\(name)"] }.first
    }

    func hasTensor(_ name: String) -> Bool { tensor(name) != nil }

    private func required(_ name: String) throws(CheckpointError) -> Int {
        guard let value = try metadata.integer(prefix + name) else {
            throw CheckpointError(.malformed, file: metadata.file.name, "lacks \((prefix + name).quoted)")
        }
        return value
    }

    /// A number that files may state layer by layer, but that is the same for all in the families known here.
    private func uniform(_ name: String) throws(CheckpointError) -> Int? {
        guard let values = try metadata.integers(prefix + name, count: layers), let first = values.first else {
            return nil
        }
        guard values.allSatisfy({ $0 == first }) else {
            throw CheckpointError(
                .unsupported, file: metadata.file.name,
                "\((prefix + name).quoted) differs from layer to layer, which no family known here does")
        }
        return first
    }

    func commonFields(_ name: GGUFArchitecture.Name) throws(CheckpointError) -> Fields {
        let hidden = try required("embedding_length")
        let heads = try uniform("attention.head_count") ?? 0
        var fields: Fields = [
            ("num_hidden_layers", .integer(layers)), ("hidden_size", .integer(hidden)),
            ("num_attention_heads", .integer(heads)),
            ("max_position_embeddings", .integer(try required("context_length"))),
            ("tie_word_embeddings", .flag(tensors["lm_head.weight"] == nil)),
        ]
        if let value = try uniform("attention.head_count_kv") {
            fields.append(("num_key_value_heads", .integer(value)))
        }
        if let value = try uniform("feed_forward_length") {
            fields.append(("intermediate_size", .integer(value)))
        }
        // The matrix says it more surely than the metadata, which may count padding or leave it out.
        let stated = try metadata.integer(prefix + "vocab_size")
        if let vocabulary = tensors["model.embed_tokens.weight"]?.shape.first ?? stated {
            fields.append(("vocab_size", .integer(vocabulary)))
        }
        if let epsilon = try metadata.number(prefix + "attention.layer_norm_rms_epsilon") {
            fields.append(("rms_norm_eps", .number(epsilon)))
        }
        let headDimension = try metadata.integer(prefix + "attention.key_length") ?? (heads > 0 ? hidden / heads : 0)
        if let values = try metadata.integer(prefix + "attention.value_length"), values != headDimension {
            throw CheckpointError(
                .unsupported, file: metadata.file.name,
                "has keys of \(headDimension) columns and values of \(values), which no family known here does")
        }
        fields.append(("head_dim", .integer(headDimension)))
        fields += try positionFields(headDimension: headDimension)
        fields += try modelFields(name)
        for (key, field) in [("bos_token_id", "bos_token_id"), ("eos_token_id", "eos_token_id")] {
            if let id = try metadata.integer("tokenizer.ggml." + key), id >= 0 { fields.append((field, .integer(id))) }
        }
        return fields
    }

    /// Which family it is.
    private func modelFields(_ name: GGUFArchitecture.Name) throws(CheckpointError) -> Fields {
        switch name {
        case .llama:
            if try metadata.integer(prefix + "expert_count") ?? 0 > 0 { return [("model_type", .word("mixtral"))] }
            // Mistral goes by the same name; what tells it apart here is its window.
            guard let window = try metadata.integer(prefix + "attention.sliding_window"), window > 0 else {
                return [("model_type", .word("llama"))]
            }
            return [("model_type", .word("mistral")), ("sliding_window", .integer(window))]
        case .qwen2: return [("model_type", .word("qwen2"))]
        case .qwen2moe: return [("model_type", .word("qwen2_moe"))]
        case .qwen3: return [("model_type", .word("qwen3"))]
        case .qwen3moe: return [("model_type", .word("qwen3_moe"))]
        }
    }

    /// Rotary frequencies and their scaling.
    private func positionFields(headDimension: Int) throws(CheckpointError) -> Fields {
        var fields: Fields = [("rope_theta", .number(try metadata.number(prefix + "rope.freq_base") ?? 10_000))]
        if let rotated = try metadata.integer(prefix + "rope.dimension_count"), rotated != headDimension,
            headDimension > 0
        {
            fields.append(("partial_rotary_factor", .number(Double(rotated) / Double(headDimension))))
        }
        if let scaling = try scaling() { fields.append(("rope_scaling", .object(scaling))) }
        return fields
    }

    private func scaling() throws(CheckpointError) -> Fields? {
        if let frequencyFactors {
            guard frequencyFactors.allSatisfy({ $0.isFinite && $0 > 0 }) else {
                throw CheckpointError(
                    .malformed, file: metadata.file.name, tensor: GGUFArchitecture.frequencyFactorsName,
                    "has factors that are not positive")
            }
            // What config.json says with two tables and a magnitude that follows from the context.
            let factors = JSONText.array(frequencyFactors.map { .float($0) })
            return [
                ("rope_type", .word("longrope")), ("short_factor", factors), ("long_factor", factors),
                ("factor", .integer(1)), ("attention_factor", .integer(1)),
            ]
        }
        let linear = try metadata.number(prefix + "rope.scale_linear")
        let kind = try metadata.text(prefix + "rope.scaling.type") ?? (linear == nil ? "none" : "linear")
        let factor = try metadata.number(prefix + "rope.scaling.factor") ?? linear ?? 1
        switch kind {
        case "none": return nil
        case "linear": return [("rope_type", .word("linear")), ("factor", .number(factor))]
        case "yarn": return try yarn(factor: factor)
        default:
            throw CheckpointError(
                .unsupported, file: metadata.file.name,
                "'\(prefix)rope.scaling.type' is \(kind.quoted); known are none, linear, yarn")
        }
    }

    private func yarn(factor: Double) throws(CheckpointError) -> Fields {
        var fields: Fields = [("rope_type", .word("yarn")), ("factor", .number(factor))]
        if let tokens = try metadata.integer(prefix + "rope.scaling.original_context_length") {
            fields.append(("original_max_position_embeddings", .integer(tokens)))
        }
        for (key, field) in [("yarn_beta_fast", "beta_fast"), ("yarn_beta_slow", "beta_slow")] {
            if let value = try metadata.number("\(prefix)rope.scaling.\(key)") {
                fields.append((field, .number(value)))
            }
        }
        return fields
    }

    /// - Parameter normalizes: whether the weights of a row's experts are made to add up to 1, which the architecture
    ///   settles where the file is silent.
    func mixtureFields(normalizes: Bool) throws(CheckpointError) -> Fields {
        let experts = try required("expert_count")
        var fields: Fields = [
            ("num_experts", .integer(experts)), ("num_experts_per_tok", .integer(try required("expert_used_count"))),
            ("norm_topk_prob", .flag(try metadata.flag(prefix + "expert_weights_norm") ?? normalizes)),
        ]
        let inner =
            try metadata.integer(prefix + "expert_feed_forward_length")
            ?? tensor("mlp.switch_mlp.up_proj.weight").flatMap { $0.shape.count == 3 ? $0.shape[1] : nil }
        if let inner { fields.append(("moe_intermediate_size", .integer(inner))) }
        let dense = (0..<layers).filter { tensors["model.layers.\($0).mlp.gate.weight"] == nil }
        fields.append(("mlp_only_layers", .array(dense.map { .integer($0) })))
        return fields
    }
}
