// Logits of the reference checkpoints, where they are at hand, against mlx-lm's.

import FoundationEssentials
import Tensors
import Testing

/// Where the reference checkpoints lie: beside the package, when they are there.
enum ReferenceModels {
    static let directory: String = {
        let package = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        return package.deletingLastPathComponent().appending(path: "shared/reference/models").path
    }()

    static var arePresent: Bool { FileManager.default.fileExists(atPath: directory) }
}

@Suite(.enabled(if: ReferenceModels.arePresent, "the reference checkpoints are not here"))
struct ReferenceGoldenTests {
    static let names = ["qwen3-bf16", "qwen3-fp16", "qwen3-4bit-g64", "qwen3-4bit-g32", "qwen3-8bit-g64"]

    @Test(arguments: names)
    func exactModeAnswersAsFloat32DoesElsewhere(_ name: String) throws {
        let directory = "\(ReferenceModels.directory)/\(name)"
        let golden = try Golden(directory: directory)
        let bench = try Bench(LoadedModel(directory: directory), .exact, threads: 2)

        let logits = try bench.logits(golden.prompt, chunk: golden.prompt.count)

        let last = LogitError(try #require(logits.last), against: golden.float32.lastLogits)
        print(name, "exact", last)
        #expect(last.maximum <= 1e-4)
        for (row, top) in zip(logits, golden.float32.top20) {
            for (id, logit) in zip(top.ids, top.logits) { #expect(abs(row[Int(id)] - logit) <= 1e-4) }
        }
        #expect(try bench.greedy(after: golden.prompt, count: golden.float32.greedy.count) == golden.float32.greedy)
    }

    @Test(arguments: names)
    func standardModeStaysClose(_ name: String) throws {
        let directory = "\(ReferenceModels.directory)/\(name)"
        let golden = try Golden(directory: directory)
        let bench = try Bench(LoadedModel(directory: directory), .standard, threads: 2)

        let logits = try bench.logits(golden.prompt, chunk: golden.prompt.count)

        let last = LogitError(try #require(logits.last), against: golden.float32.lastLogits)
        print(name, "standard", last)
        var worst: Float = 0
        for (row, top) in zip(logits, golden.float32.top20) {
            for (id, logit) in zip(top.ids, top.logits) { worst = max(worst, abs(row[Int(id)] - logit)) }
        }
        print("worst top20", worst)
    }
}
