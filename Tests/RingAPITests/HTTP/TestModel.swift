// A model directory for tests: a configuration, a byte-level tokenizer without merges, a chat template.

import Foundation

@testable import RingAPI

enum TestModel {
    static let template =
        "{% for m in messages %}{{ m.role }}:{{ m.content }};{% endfor %}"
        + "{% if add_generation_prompt %}assistant:{% endif %}{% if shout %}!{% endif %}"
        + "{% if messages[0].content == 'refuse' %}{{ raise_exception('no such talk') }}{% endif %}"

    /// Token `n` is the byte `n`; 256 is `<end>`.
    /// - Parameter isLinked: the directory is opened by a link to it.
    static func make(tokenizer: Bool = true, isLinked: Bool = false) throws -> ServedModel {
        let directory = FileManager.default.temporaryDirectory.appendingPathComponent("ring-\(UUID().uuidString)/tiny")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: directory.deletingLastPathComponent()) }
        func write(_ name: String, _ value: Any) throws {
            try JSONSerialization.data(withJSONObject: value).write(to: directory.appendingPathComponent(name))
        }
        try write(
            "config.json",
            [
                "num_hidden_layers": 2, "hidden_size": 8, "vocab_size": 257, "max_position_embeddings": 100,
                "eos_token_id": 256,
            ])
        try weights().write(to: directory.appendingPathComponent("model.safetensors"))
        try write("generation_config.json", ["temperature": 0.5, "top_k": 7, "eos_token_id": [256]])
        if tokenizer {
            try write("tokenizer.json", tokenizerFile())
            try write("tokenizer_config.json", ["chat_template": template, "eos_token": "<end>"])
        }
        guard isLinked else { return try ServedModel(directory: directory.path) }
        let link = directory.deletingLastPathComponent().appendingPathComponent("linked")
        try FileManager.default.createSymbolicLink(at: link, withDestinationURL: directory)
        return try ServedModel(directory: link.path)
    }

    /// One tensor of one element: the API reads weights for their fingerprint only.
    private static func weights() -> Data {
        let header = Data(#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#.utf8)
        return withUnsafeBytes(of: UInt64(header.count).littleEndian) { Data($0) } + header + Data(count: 4)
    }

    private static func tokenizerFile() -> [String: Any] {
        // The printable stand-ins that byte-level tokenizers use for bytes.
        var vocabulary: [String: Int] = [:]
        var next: UInt32 = 256
        for byte in UInt32(0)..<256 {
            let printable = (33...126).contains(byte) || (161...172).contains(byte) || (174...255).contains(byte)
            let scalar = printable ? byte : next
            if !printable { next += 1 }
            vocabulary[String(Character(Unicode.Scalar(scalar) ?? "?"))] = Int(byte)
        }
        let end: [String: Any] = [
            "id": 256, "content": "<end>", "single_word": false, "lstrip": false, "rstrip": false, "normalized": false,
            "special": true,
        ]
        return [
            "version": "1.0", "added_tokens": [end],
            "pre_tokenizer": [
                "type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": false,
            ],
            "decoder": ["type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true],
            "model": ["type": "BPE", "vocab": vocabulary, "merges": [String]()],
        ]
    }
}
