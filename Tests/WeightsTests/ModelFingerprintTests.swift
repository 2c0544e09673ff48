// Equal models have equal fingerprints, others do not.

import Testing

@testable import Weights

@Suite struct ModelFingerprintTests {
    private let tensors = [
        TestTensor("model.layers.0.w", .bf16, [40, 30]), TestTensor("model.embed.weight", .f32, [7]),
        TestTensor("empty", .u8, [0]),
    ]
    private let configuration = #"{"model_type":"qwen3","rope_theta":1000000,"eps":1e-06,"n":{"b":[1,2],"a":"x"}}"#

    private func fingerprint(_ configuration: String, _ files: [[TestTensor]]) throws -> ModelFingerprint {
        let directory = try ModelDirectory()
        try directory.write("config.json", configuration)
        for (index, tensors) in files.enumerated() {
            try directory.write("part-\(index).safetensors", safetensors(tensors))
        }
        return try Checkpoint(directory: directory.path).fingerprint()
    }

    @Test func doesNotDependOnHowTheModelIsCutOrWrittenDown() throws {
        let whole = try fingerprint(configuration, [tensors])
        #expect(try fingerprint(configuration, [tensors.reversed()]) == whole)
        #expect(try fingerprint(configuration, [[tensors[2]], [tensors[0]], [tensors[1]]]) == whole)
        let respelled = #"""
            {"transformers_version":"9.9", "n":{"a":"\u0078","b":[1.0,2e0]}, "eps":0.000001,
            "rope_theta":1e6, "model_type":"qwen3","_name_or_path":"/home"}
            """#
        #expect(try fingerprint(respelled, [tensors]) == whole)
    }

    @Test func dependsOnConfigurationShapesTypesAndData() throws {
        var fingerprints: Set<ModelFingerprint> = [try fingerprint(configuration, [tensors])]
        fingerprints.insert(try fingerprint(#"{"model_type":"qwen3"}"#, [tensors]))
        fingerprints.insert(try fingerprint(configuration.replacing("[1,2]", with: "[2,1]"), [tensors]))
        var changed = tensors
        changed[0].data[0] ^= 1
        fingerprints.insert(try fingerprint(configuration, [changed]))
        changed = tensors
        changed[0].shape = [30, 40]
        fingerprints.insert(try fingerprint(configuration, [changed]))
        changed = tensors
        changed[0].type = .f16
        fingerprints.insert(try fingerprint(configuration, [changed]))
        changed = tensors
        changed[0].name = "model.layers.1.w"
        fingerprints.insert(try fingerprint(configuration, [changed]))
        fingerprints.insert(try fingerprint(configuration, [Array(tensors.dropLast())]))
        #expect(fingerprints.count == 8)
    }

    /// Fixed for good: shards of different versions must agree.
    @Test func keepsItsValueOverVersions() throws {
        let print = try fingerprint(configuration, [tensors])
        #expect(print.description == "a3a318aff5f7685b640fd613b66e554d")
        #expect(print.bytes.count == ModelFingerprint.byteCount)
        #expect(ModelFingerprint(bytes: print.bytes) == print)
        #expect(ModelFingerprint(bytes: []) == nil)
    }
}
