// Where the checkpoints of the tests lie.

import FoundationEssentials
import Testing

/// A model directory with a golden.json.
struct TestCheckpoint: Sendable, CustomTestStringConvertible {
    let name: String
    let directory: String
    /// Bound of the standard mode's error, as a fraction of the logits' standard deviation.
    let standardErrorMax: Float

    /// Bound of what a text gains in perplexity by the standard mode's rounding, as a fraction.
    var perplexityGainMax: Double {
        // Blocks of many widths, the K types' of random bits.
        if name.contains("gguf") { return name.contains("moe") ? 0.02 : 0.01 }
        let quantized = ["bit", "affine", "mixed", "mxfp4", "gpt-oss"]
        if !quantized.contains(where: name.contains) {
            if name.contains("fp16") { return 0.0003 }
            // Rows are rounded to bf16 beside weights of bf16.
            return name.contains("deepseek") ? 0.015 : name.contains("moe") ? 0.004 : 0.0015
        }
        // The reference's DeepSeek-V2 multiplies what experts add by sixteen.
        return name.contains("deepseek") ? 0.016 : name.contains("moe") ? 0.008 : 0.004
    }

    var testDescription: String { name }

    /// Those of this checkout.
    static let own = huggingFace + gguf

    /// Made by Fixtures/make_tiny_qwen3.py and Fixtures/make_tiny_families.py.
    static let huggingFace = [
        ("tiny-qwen3-bf16", 0.01), ("tiny-qwen3-affine", 0.027), ("tiny-llama", 0.01), ("tiny-mistral", 0.02),
        ("tiny-qwen2", 0.012), ("tiny-qwen2-moe", 0.02), ("tiny-qwen3-moe", 0.03), ("tiny-gemma3", 0.005),
        ("tiny-gemma3-section", 0.005), ("tiny-gpt-oss", 0.03), ("tiny-deepseek-v2", 0.03),
        ("tiny-deepseek-v3", 0.02), ("tiny-deepseek-v3-fp8", 0.005), ("tiny-phi3", 0.06), ("tiny-glm4-moe", 0.012),
        ("tiny-gpt-oss-mlx", 0.03), ("tiny-deepseek-v3-mlx", 0.02),
    ].map { TestCheckpoint($0.0, in: Fixtures.directory, standardErrorMax: $0.1) }

    /// Made by Fixtures/make_tiny_gguf.py. llama.cpp, which rounds activations as well, differs by 0.026 to 0.040 on
    /// the same files.
    static let gguf = [
        "tiny-gguf-llama", "tiny-gguf-qwen2", "tiny-gguf-qwen3", "tiny-gguf-qwen2-moe", "tiny-gguf-qwen3-moe",
    ].map { TestCheckpoint($0, in: Fixtures.directory, standardErrorMax: 0.04) }

    /// The reference checkpoints beside the package, where they are at hand.
    static let reference =
        FileManager.default.fileExists(atPath: Fixtures.referenceDirectory)
        ? [
            ("qwen3-bf16", 0.005), ("qwen3-fp16", 0.0004), ("qwen3-3bit-g64", 0.025), ("qwen3-4bit-g32", 0.02),
            ("qwen3-4bit-g64", 0.02), ("qwen3-6bit-g64", 0.02), ("qwen3-mixed_4_6-g64", 0.02), ("qwen3-8bit-g64", 0.02),
            ("llama3-bf16", 0.005), ("llama3-4bit-g64", 0.03), ("qwen2-bf16", 0.005), ("qwen2-4bit-g64", 0.03),
            ("qwen3-moe-bf16", 0.005), ("qwen3-moe-4bit-g64", 0.03), ("qwen3-mxfp4", 0.03), ("qwen3-mxfp8", 0.005),
            ("qwen3-nvfp4", 0.005), ("qwen3-moe-mxfp4", 0.03), ("deepseek-v2-bf16", 0.01),
            ("deepseek-v2-4bit-g64", 0.05), ("deepseek-v2-lite-bf16", 0.005), ("deepseek-v2-lite-8bit-g64", 0.05),
        ].map { TestCheckpoint($0.0, in: Fixtures.referenceDirectory, standardErrorMax: $0.1) } : []

    private init(_ name: String, in folder: String, standardErrorMax: Float) {
        self.name = name
        self.directory = "\(folder)/\(name)"
        self.standardErrorMax = standardErrorMax
    }
}

enum Fixtures {
    private static let testFolder = URL(filePath: #filePath).deletingLastPathComponent()

    static let directory = testFolder.appending(path: "Fixtures").path

    static let referenceDirectory: String = {
        let package = testFolder.deletingLastPathComponent().deletingLastPathComponent()
        return package.deletingLastPathComponent().appending(path: "shared/reference/models").path
    }()
}

/// A model directory with the weights of another and a configuration of its own; it goes when this does.
final class EditedCheckpoint {
    let directory: String

    /// The original's config.json has `found`, which is changed to `replacement`.
    init(_ original: TestCheckpoint, replacing found: String, by replacement: String) throws {
        let files = FileManager.default
        let folder = files.temporaryDirectory.appending(path: "ModelsTests-\(UUID().uuidString)")
        directory = folder.path
        try files.createDirectory(at: folder, withIntermediateDirectories: true)
        try files.createSymbolicLink(
            atPath: "\(directory)/model.safetensors", withDestinationPath: "\(original.directory)/model.safetensors")
        var config = try String(contentsOf: URL(filePath: "\(original.directory)/config.json"), encoding: .utf8)
        if !found.isEmpty {
            try #require(config.contains(found))
            config.replace(found, with: replacement)
        }
        try Data(config.utf8).write(to: URL(filePath: "\(directory)/config.json"))
    }

    deinit { try? FileManager.default.removeItem(atPath: directory) }
}
