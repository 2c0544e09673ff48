// Model directories: layouts that work, and each way in which one is refused.

import Testing

@testable import Weights

@Suite struct CheckpointTests {
    /// Two files with an index: layers 0 and 1, an embedding.
    private func indexed(_ change: (ModelDirectory) throws -> Void = { _ in }) throws -> ModelDirectory {
        let directory = try ModelDirectory()
        try directory.write("config.json", #"{"model_type":"qwen3"}"#)
        try directory.write(
            "model-1.safetensors",
            safetensors([
                TestTensor("model.layers.1.w", [4]), TestTensor("model.embed_tokens.weight", [8]),
                TestTensor("spare", [2]),
            ]))
        try directory.write(
            "model-2.safetensors",
            safetensors([TestTensor("model.layers.10.w", [3]), TestTensor("model.layers.1.b", [5])]))
        try directory.write(
            "model.safetensors.index.json",
            #"""
            {"metadata":{"total_size":20},"weight_map":{"model.layers.1.w":"model-1.safetensors",
            "model.embed_tokens.weight":"model-1.safetensors","model.layers.10.w":"model-2.safetensors","model.layers.1.b":"model-2.safetensors"}}
            """#)
        try change(directory)
        return directory
    }

    private func refusal(_ change: (ModelDirectory) throws -> Void) throws -> CheckpointError {
        let directory = try indexed(change)
        let error = try #require(checkpointError { _ = try Checkpoint(directory: directory.path) })
        #expect(!error.description.contains("\n"))
        return error
    }

    @Test func opensFilesNamedByAnIndex() throws {
        let directory = try indexed()
        let checkpoint = try Checkpoint(directory: directory.path)
        #expect(checkpoint.files.map(\.name) == ["model-1.safetensors", "model-2.safetensors"])
        #expect(checkpoint.tensors.count == 4)
        #expect(checkpoint.byteCount == 20)
        #expect(checkpoint.tensors["model.layers.10.w"]?.fileIndex == 1)
        #expect(checkpoint.entries(prefix: "model.layers.1.").map(\.name) == ["model.layers.1.w", "model.layers.1.b"])
        #expect(checkpoint.entries(prefix: "model.layers.10.").map(\.name) == ["model.layers.10.w"])
        #expect(checkpoint.entries(prefix: "model.layers.2.").isEmpty)
        #expect(checkpoint.entries(prefix: "").count == 4)
        #expect(checkpoint.entries(prefix: "zzz").isEmpty)
        #expect(String(decoding: checkpoint.configurationJSON, as: UTF8.self) == #"{"model_type":"qwen3"}"#)
    }

    @Test func opensASingleFileAndFilesWithoutIndex() throws {
        let directory = try ModelDirectory()
        try directory.write("config.json", "{}")
        try directory.write("b.safetensors", safetensors([TestTensor("y", [1])]))
        try directory.write("a.safetensors", safetensors([TestTensor("x", [1])]))
        try directory.write(".a.safetensors", "left over by an interrupted copy")
        #expect(try Checkpoint(directory: directory.path).files.map(\.name) == ["a.safetensors", "b.safetensors"])
        try directory.write("model.safetensors", safetensors([TestTensor("x", [1])]))
        #expect(try Checkpoint(directory: directory.path).files.map(\.name) == ["model.safetensors"])
    }

    @Test func refusesIncompleteDirectories() throws {
        let absent = checkpointError { _ = try Checkpoint(directory: "/nonexistent/model") }
        #expect(absent?.kind == .missingFile)
        #expect(absent?.description.contains("/nonexistent/model") == true)
        let noConfiguration = try refusal { $0.remove("config.json") }
        #expect(noConfiguration.kind == .missingFile && noConfiguration.description.contains("config.json"))
        let noFile = try refusal { $0.remove("model-2.safetensors") }
        #expect(noFile.kind == .missingFile && noFile.description.contains("'model-2.safetensors'"))
        let noWeights = try refusal {
            $0.remove("model.safetensors.index.json")
            $0.remove("model-1.safetensors")
            $0.remove("model-2.safetensors")
        }
        #expect(noWeights.kind == .missingFile && noWeights.description.contains("no safetensors files"))
    }

    @Test func refusesAnIndexThatDoesNotFitItsFiles() throws {
        let error = try refusal {
            try $0.write("model-2.safetensors", safetensors([TestTensor("model.layers.1.b", [5])]))
        }
        #expect(error.kind == .missingTensor)
        #expect(error.tensor == "model.layers.10.w")
        #expect(error.description.contains("model-2.safetensors"))
    }

    @Test(arguments: [
        "../model.safetensors", "/etc/x.safetensors", "sub/x.safetensors", ".x.safetensors", "x.bin", "", "..",
        "a\\u0000.safetensors",
    ])
    func refusesAnIndexThatLeadsElsewhere(file: String) throws {
        let error = try refusal { try $0.write("model.safetensors.index.json", #"{"weight_map":{"t":"\#(file)"}}"#) }
        #expect(error.kind == .malformed)
        #expect(error.tensor == "t")
        #expect(error.file == "model.safetensors.index.json")
    }

    @Test(arguments: [
        "", "{}", "[]", #"{"weight_map":{}}"#, #"{"weight_map":{"t":3}}"#, #"{"weight_map":{"t":"a.safetensors"}"#,
        #"{"weight_map":{"t":"a.safetensors"},"weight_map":{"t":"a.safetensors"}}"#,
        #"{"weight_map":{"t":"a.safetensors","t":"a.safetensors"}}"#,
    ])
    func refusesAMalformedIndex(json: String) throws {
        let error = try refusal { try $0.write("model.safetensors.index.json", json) }
        #expect(error.kind == .malformed)
        #expect(error.file == "model.safetensors.index.json")
    }

    @Test(arguments: [
        "", "[1]", "{\"a\":1", "{\"a\":01}", "{\"a\":nul}", "{\"a\":\"\u{1}\"}", "{\"a\":\"\\ud800\"}", "{'a':1}",
    ])
    func refusesAMalformedConfiguration(json: String) throws {
        let error = try refusal { try $0.write("config.json", json) }
        #expect(error.kind == .malformed)
        #expect(error.file == "config.json")
    }

    @Test func refusesOneTensorInTwoFiles() throws {
        let error = try refusal {
            $0.remove("model.safetensors.index.json")
            try $0.write("model-2.safetensors", safetensors([TestTensor("spare", [2])]))
        }
        #expect(error.kind == .malformed && error.tensor == "spare")
        #expect(error.description.contains("model-1.safetensors") && error.description.contains("model-2.safetensors"))
    }

    @Test func refusesABadFileByName() throws {
        let error = try refusal { try $0.write("model-2.safetensors", "not weights at all") }
        #expect(error.file == "model-2.safetensors")
    }

    @Test func manifestCountsBytesOfEachPart() throws {
        let directory = try indexed()
        let manifest = ModelManifest(
            try Checkpoint(directory: directory.path), layerCount: 11, layerPrefix: { "model.layers.\($0)." },
            embeddingPrefixes: ["model.embed_tokens."], headPrefixes: ["model.norm.", "lm_head."])
        #expect(manifest.layerBytes == [0, 9, 0, 0, 0, 0, 0, 0, 0, 0, 3])
        #expect(manifest.embeddingBytes == 8)
        #expect(manifest.headBytes == 0)
    }
}
