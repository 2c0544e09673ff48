// What GGUF files say is read right, and what is wrong with them is said in one line.

import Testing

@testable import Weights

@Suite struct GGUFModelTests {
    private let directory: ModelDirectory

    init() throws { directory = try ModelDirectory() }

    private func open(_ file: GGUFFile) throws -> Checkpoint {
        try directory.write("m.gguf", file.bytes)
        return try Checkpoint(directory: "\(directory.path)/m.gguf")
    }

    private func refusal(_ file: GGUFFile) throws -> CheckpointError {
        try directory.write("m.gguf", file.bytes)
        return try #require(checkpointError { _ = try Checkpoint(directory: "\(directory.path)/m.gguf") })
    }

    private func refusal(_ change: (inout GGUFFile) -> Void) throws -> CheckpointError {
        var file = GGUFFile()
        file.add("token_embd.weight", [4, 7], floats: (0..<28).map(Float.init))
        file.add("blk.0.attn_norm.weight", [4], floats: [1, 2, 3, 4])
        change(&file)
        return try refusal(file)
    }

    // MARK: What is read

    @Test func tensorsHaveTheirNamesShapesAndValues() throws {
        var file = GGUFFile()
        file.add("token_embd.weight", [4, 7], floats: (0..<28).map(Float.init))
        file.add("blk.0.attn_norm.weight", [5], floats: [1, 2, 3, 4, 5])
        file.add("blk.0.ffn_gate.weight", [2, 3], floats: [6, 7, 8, 9, 10, 11])
        let checkpoint = try open(file)
        #expect(
            Set(checkpoint.tensors.keys) == [
                "model.embed_tokens.weight", "model.layers.0.input_layernorm.weight",
                "model.layers.0.mlp.gate_proj.weight",
            ])
        #expect(checkpoint.tensors["model.embed_tokens.weight"]?.shape == [7, 4])
        let reader = FileTensorReader(checkpoint, caching: .untouched)
        let weights = try LayerWeights.load(LayerPlan(checkpoint, prefix: "model.layers.0."), from: reader)
        #expect(try weights.tensor("input_layernorm.weight", shape: [5]).floats == [1, 2, 3, 4, 5])
        #expect(try weights.tensor("mlp.gate_proj.weight", shape: [3, 2]).floats == [6, 7, 8, 9, 10, 11])
    }

    @Test func theConfigurationIsThatOfHuggingFace() throws {
        let checkpoint = try open(GGUFFile())
        #expect(
            String(decoding: checkpoint.configurationJSON, as: UTF8.self) == """
                {"num_hidden_layers":1,"hidden_size":64,"num_attention_heads":4,"max_position_embeddings":128,\
                "tie_word_embeddings":true,"num_key_value_heads":2,"intermediate_size":96,"vocab_size":7,\
                "rms_norm_eps":1e-06,"head_dim":16,"rope_theta":10000.0,"model_type":"qwen3","attention_bias":false}
                """)
        #expect(checkpoint.metadata != nil)
    }

    @Test func whatALayerStatesAloneCountsForAll() throws {
        var values = GGUFFile.qwen3
        values[5] = ("qwen3.attention.head_count", .integers([4]))
        #expect(try open(GGUFFile(values)).configurationJSON == open(GGUFFile()).configurationJSON)
        values[1] = ("qwen3.block_count", .uint32(2))
        values[5] = ("qwen3.attention.head_count", .integers([4, 8]))
        #expect(try refusal(GGUFFile(values)).description.contains("differs from layer to layer"))
    }

    /// llama.cpp's order of the rows of queries and keys: pairs that are turned together are neighbours.
    @Test func rowsOfQueriesGoWhereTheyBelong() throws {
        var file = GGUFFile([
            ("general.architecture", .text("llama")), ("llama.block_count", .uint32(1)),
            ("llama.context_length", .uint32(128)), ("llama.embedding_length", .uint32(2)),
            ("llama.attention.head_count", .uint32(2)), ("llama.attention.head_count_kv", .uint32(1)),
        ])
        // Two heads of four rows; each row holds its place in the model twice.
        let places: [Float] = [0, 2, 1, 3, 4, 6, 5, 7]
        file.add("blk.0.attn_q.weight", [2, 8], floats: places.flatMap { [$0, $0] })
        file.add("blk.0.attn_q.bias", [8], floats: places)
        file.add("blk.0.attn_k.weight", [2, 4], floats: [0, 0, 2, 2, 1, 1, 3, 3])
        file.add("blk.0.attn_v.weight", [2, 4], floats: [0, 0, 1, 1, 2, 2, 3, 3])
        let checkpoint = try open(file)
        let reader = FileTensorReader(checkpoint, caching: .untouched)
        let weights = try LayerWeights.load(LayerPlan(checkpoint, prefix: "model.layers.0."), from: reader)
        #expect(
            try weights.tensor("self_attn.q_proj.weight", shape: [8, 2]).floats
                == (0..<8).flatMap { [Float($0), Float($0)] })
        #expect(try weights.tensor("self_attn.q_proj.bias", shape: [8]).floats == (0..<8).map(Float.init))
        for name in ["k", "v"] {
            #expect(
                try weights.tensor("self_attn.\(name)_proj.weight", shape: [4, 2]).floats
                    == [0, 0, 1, 1, 2, 2, 3, 3])
        }
    }

    @Test func arraysAreReadWhenTheyAreAskedFor() throws {
        let texts = (0..<300).map { "token \($0) " + String(repeating: "é", count: $0) }
        let checkpoint = try open(
            GGUFFile(
                GGUFFile.qwen3 + [
                    ("tokenizer.ggml.tokens", .texts(texts)), ("numbers", .integers([3, -1])), ("f", .flag(true)),
                ]))
        let metadata = try #require(checkpoint.metadata)
        #expect(try metadata.texts("tokenizer.ggml.tokens") == texts)
        #expect(try metadata.integers("numbers") == [3, -1])
        #expect(try metadata.flag("f") == true)
        #expect(try metadata.texts("absent") == nil)
        #expect(
            checkpointError { _ = try metadata.texts("f") }?.description.contains("'f' is true or false; it must be")
                == true)
    }

    // MARK: Which file

    @Test func aDirectoryMayHoldTheOneFile() throws {
        try directory.write("m.gguf", GGUFFile().bytes)
        try directory.write("mmproj-m.gguf", [])
        #expect(try Checkpoint(directory: directory.path).files.map(\.name) == ["m.gguf"])
        try directory.write("other.gguf", GGUFFile().bytes)
        let error = checkpointError { _ = try Checkpoint(directory: directory.path) }
        #expect(error?.description.contains("has 2 models in GGUF files; name one of them") == true)
        // A model of another format goes before.
        try directory.write("config.json", "{}")
        try directory.write("model.safetensors", safetensors([TestTensor("a", [1])]))
        #expect(try Checkpoint(directory: directory.path).files.map(\.name) == ["model.safetensors"])
    }

    private func part(_ number: Int, of count: Int, tensors total: Int, name: String) -> GGUFFile {
        var file = GGUFFile(
            (number == 0 ? GGUFFile.qwen3 : []) + [
                ("split.no", .uint32(UInt32(number))), ("split.count", .uint32(UInt32(count))),
                ("split.tensors.count", .uint32(UInt32(total))),
            ])
        file.add(name, [1], floats: [Float(number)])
        return file
    }

    @Test func aSplitModelIsOne() throws {
        let names = ["output_norm.weight", "blk.0.attn_norm.weight"]
        for number in 0..<2 {
            try directory.write(
                "m-0000\(number + 1)-of-00002.gguf", part(number, of: 2, tensors: 2, name: names[number]).bytes)
        }
        for path in [directory.path, "\(directory.path)/m-00001-of-00002.gguf"] {
            let checkpoint = try Checkpoint(directory: path)
            #expect(checkpoint.tensors["model.norm.weight"]?.fileIndex == 0)
            #expect(checkpoint.tensors["model.layers.0.input_layernorm.weight"]?.fileIndex == 1)
        }
        let second = checkpointError { _ = try Checkpoint(directory: "\(directory.path)/m-00002-of-00002.gguf") }
        #expect(second?.description.contains("is part 2 of 2 of a model; name the first") == true)
        try directory.write("m-00002-of-00002.gguf", part(1, of: 3, tensors: 2, name: names[1]).bytes)
        #expect(checkpointError { _ = try Checkpoint(directory: directory.path) }?.kind == .malformed)
        directory.remove("m-00002-of-00002.gguf")
        #expect(checkpointError { _ = try Checkpoint(directory: directory.path) }?.kind == .missingFile)
    }

    @Test func fingerprintsTellModelsApartAndNotTheirCuts() throws {
        var file = GGUFFile()
        file.add("blk.0.attn_norm.weight", [2], floats: [1, 2])
        let one = try open(file).fingerprint()
        #expect(try open(file).fingerprint() == one)
        file.tensors[0].data[0] ^= 1
        #expect(try open(file).fingerprint() != one)
    }

    // MARK: What is refused

    @Test func filesOfOtherKindsAreRefused() throws {
        #expect(try refusal { $0.magic = Array("GGUX".utf8) }.reason == "is not a GGUF file")
        #expect(try refusal { $0.magic = Array("tjgg".utf8) }.reason.contains("used before GGUF"))
        #expect(try refusal { $0.version = 0x0300_0000 }.reason.contains("big-endian"))
        #expect(try refusal { $0.version = 1 }.reason == "is of version 1 of GGUF; versions 2 and 3 can be read")
        #expect(try refusal { $0.values[0].1 = .text("mamba") }.reason.contains("architecture 'mamba'"))
        #expect(try refusal { $0.values.removeFirst() }.reason == "lacks general.architecture")
        #expect(try refusal { $0.values.remove(at: 1) }.reason == "lacks 'qwen3.block_count'")
    }

    @Test func countsBeyondReasonAreRefused() throws {
        #expect(try refusal { $0.tensorCount = .max }.reason.contains("announces 18446744073709551615 tensors"))
        #expect(try refusal { $0.valueCount = 1 << 40 }.reason.contains("metadata values, more than"))
        #expect(try refusal { $0.valueCount = 5000 }.description.contains("m.gguf"))
        let array = littleEndian(UInt32(8)) + littleEndian(UInt64(1) << 60)
        #expect(try refusal { $0.values.append(("a", .raw(9, array))) }.reason.contains("elements, more than"))
        let nested = littleEndian(UInt32(9)) + littleEndian(UInt64(1))
        #expect(try refusal { $0.values.append(("a", .raw(9, nested))) }.reason.contains("is an array of arrays"))
        #expect(try refusal { $0.values.append(("a", .raw(13, []))) }.reason.contains("the value type 13"))
        let long = littleEndian(UInt64(1) << 62)
        #expect(try refusal { $0.values.append(("a", .raw(8, long))) }.kind == .truncated)
        #expect(try refusal { $0.values.append($0.values[0]) }.reason == "states 'general.architecture' twice")
        #expect(try refusal { $0.values.append(("general.alignment", .uint32(24))) }.reason.contains("power of two"))
        #expect(try refusal { $0.values[1].1 = .uint32(.max) }.reason.contains("beyond any model's size"))
        #expect(try refusal { $0.values[1].1 = .uint32(1 << 20) }.reason.contains("layers; there must be 0 to"))
        #expect(try refusal { $0.values[1].1 = .raw(5, [255, 255, 255, 255]) }.reason.contains("has -1 layers"))
        #expect(
            try refusal { $0.values[1].1 = .text("1") }.reason
                == "'qwen3.block_count' is a string; it must be a whole number")
        #expect(try refusal { $0.values[8].1 = .float(.nan) }.reason.contains("is not a finite number"))
    }

    @Test func tensorsThatCannotBeAreRefusedByName() throws {
        let name = "blk.0.attn_norm.weight"
        func refused(_ change: (inout GGUFFile.Tensor) -> Void) throws -> CheckpointError {
            let error = try refusal { change(&$0.tensors[1]) }
            #expect(error.tensor == name)
            return error
        }
        #expect(
            try refused { $0.type = 20 }.reason.contains("is of type IQ4_NL, which is not supported; known are F32"))
        #expect(try refused { $0.type = 999 }.reason.contains("is of type number 999"))
        #expect(try refused { $0.type = 12 }.reason.contains("does not divide into blocks of 256"))
        #expect(try refused { $0.offset += 1 }.reason.contains("no multiple of 32"))
        // Of two that begin at one place, the longer runs into the other.
        let overlap = try refusal { $0.tensors[1].offset = 0 }
        #expect(overlap.reason == "its data overlaps that of tensor '\(name)'")
        #expect(try refused { $0.dimensions = [1 << 20] }.kind == .truncated)
        #expect(try refused { $0.dimensions = [1 << 43, 1 << 43, 2] }.reason.contains("beyond any memory"))
        #expect(try refused { $0.dimensions = [.max] }.reason.contains("beyond any memory"))
        #expect(try refused { $0.dimensions = Array(repeating: 1, count: 9) }.reason.contains("has 9 dimensions"))
        let twice = try refusal { $0.tensors[1].name = $0.tensors[0].name }
        #expect(twice.reason == "is described twice")
    }

    /// Cut anywhere, the file is refused in words; nothing else happens.
    @Test func truncatedFilesAreRefused() throws {
        var file = GGUFFile(GGUFFile.qwen3 + [("tokenizer.ggml.tokens", .texts(["a", "bc", ""]))])
        file.add("token_embd.weight", [4, 7], floats: (0..<28).map(Float.init))
        let bytes = file.bytes
        for count in 0..<bytes.count {
            try directory.write("m.gguf", Array(bytes[..<count]))
            let error = checkpointError { _ = try Checkpoint(directory: "\(directory.path)/m.gguf") }
            #expect(error?.file == "m.gguf" && error?.description.contains("\n") == false, "\(count) bytes")
        }
    }

    /// One byte of the header changed: an error or a model, whichever, and no crash.
    @Test func damagedHeadersDoNoHarm() throws {
        var file = GGUFFile(GGUFFile.qwen3 + [("tokenizer.ggml.tokens", .texts(["a", "bc", ""]))])
        file.add("token_embd.weight", [4, 7], floats: (0..<28).map(Float.init))
        let bytes = file.bytes
        for index in 0..<bytes.count - 112 {
            for change in [0x01, 0x80, 0xFF] as [UInt8] {
                var damaged = bytes
                damaged[index] ^= change
                try directory.write("m.gguf", damaged)
                let error = checkpointError {
                    let checkpoint = try Checkpoint(directory: "\(directory.path)/m.gguf")
                    _ = try checkpoint.fingerprint()
                    _ = try checkpoint.metadata?.texts("tokenizer.ggml.tokens")
                }
                if let error { #expect(!error.description.contains("\n")) }
            }
        }
    }
}
