// Models of which only parts are on this machine.

import Testing

@testable import Weights

@Suite struct ModelFilesTests {
    private let directory: ModelDirectory
    private let header: UInt64
    private let tensors = [
        TestTensor("model.layers.0.w", [600]), TestTensor("model.layers.1.w", [2000]), TestTensor("none", [0]),
    ]

    init() throws {
        directory = try ModelDirectory()
        try directory.write("config.json", "{}")
        let file = safetensors(tensors)
        header = UInt64(file.count - 2600)
        try directory.write("0123abcd", file)
    }

    private func checkpoint(_ present: RangeSet<UInt64>?) throws -> Checkpoint {
        try Checkpoint(
            ModelFiles(
                place: "org/name", configuration: "\(directory.path)/config.json", index: nil,
                weights: [
                    ModelFiles.Weights(name: "model.safetensors", path: "\(directory.path)/0123abcd", present: present)
                ]))
    }

    @Test func takesFilesFromAnywhereUnderTheirNames() throws {
        let whole = try checkpoint(nil)
        #expect(whole.files.map(\.name) == ["model.safetensors"] && whole.place == "org/name")
        try whole.checkPresent(whole.tensors.values)
        try directory.write("model.safetensors", safetensors(tensors))
        #expect(try whole.fingerprint() == Checkpoint(directory: directory.path).fingerprint())
    }

    @Test func refusesTensorsThatAreNotHere() throws {
        // All of layer 0, and all but a byte of layer 1.
        let partial = try checkpoint(RangeSet(0..<header + 2599))
        try partial.checkPresent(partial.entries(prefix: "model.layers.0.") + partial.entries(prefix: "none"))
        let error = try #require(checkpointError { try partial.checkPresent(partial.entries(prefix: "")) })
        #expect(error.tensor == "model.layers.1.w" && error.file == "model.safetensors")
        #expect(error.description.contains("download"))
    }

    @Test func refusesAHeaderThatIsNotHere() throws {
        let error = try #require(checkpointError { _ = try checkpoint(RangeSet(0..<header - 1)) })
        #expect(error.file == "model.safetensors" && error.reason.contains("header"))
    }

    /// A machine that has only headers and samples has the fingerprint of one that has everything, and one with
    /// less has none.
    @Test func samplesAreEnoughForTheFingerprint() throws {
        let whole = try checkpoint(nil)
        var present = RangeSet(0..<header)
        #expect(whole.fingerprintSamples.map(\.name) == ["model.layers.1.w"])
        #expect(checkpointError { _ = try checkpoint(present).fingerprint() }?.tensor == "model.layers.1.w")
        for sample in whole.fingerprintSamples {
            present.insert(contentsOf: sample.byteOffset..<sample.byteOffset + UInt64(sample.byteCount))
        }
        #expect(try checkpoint(present).fingerprint() == whole.fingerprint())
    }
}
