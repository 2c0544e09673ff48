// Good headers are read, each kind of bad one is refused by name.

import Testing

@testable import Weights

@Suite struct SafetensorsFileTests {
    private func open(_ bytes: [UInt8]) throws -> SafetensorsFile {
        let directory = try ModelDirectory()
        try directory.write("m.safetensors", bytes)
        return try SafetensorsFile(path: "\(directory.path)/m.safetensors")
    }

    private func refusal(_ bytes: [UInt8]) -> CheckpointError? { checkpointError { _ = try open(bytes) } }

    private func refusal(header: String, dataBytes: Int = 0) -> CheckpointError? {
        refusal(safetensors(header: header, data: Array(repeating: 7, count: dataBytes)))
    }

    @Test func readsTypesShapesAndPlaces() throws {
        let file = try open(
            safetensors(
                [TestTensor("a", .f32, [2, 3]), TestTensor("b", .bf16, []), TestTensor("c", .u32, [0, 4])],
                metadata: #"{"format":"pt","total":"é \u00e9 \ud83d\ude00"}"#))
        let start = file.file.byteCount - 26
        #expect(file.entries.map(\.name) == ["a", "b", "c"] || file.entries.map(\.name) == ["a", "c", "b"])
        let byName = Dictionary(uniqueKeysWithValues: file.entries.map { ($0.name, $0) })
        #expect(
            byName["a"] == TensorEntry(name: "a", elementType: .f32, shape: [2, 3], byteOffset: start, byteCount: 24))
        #expect(
            byName["b"] == TensorEntry(name: "b", elementType: .bf16, shape: [], byteOffset: start + 24, byteCount: 2))
        #expect(
            byName["c"]
                == TensorEntry(name: "c", elementType: .u32, shape: [0, 4], byteOffset: start + 26, byteCount: 0))
    }

    @Test func acceptsPaddedHeadersAndUnorderedNames() throws {
        let header = """
            { "b" : {"shape":[1], "data_offsets":[1, 2], "dtype":"U8", "new": {"x":[1.5e3,null,true]}},
              "a":{"dtype":"I8","shape":[1],"data_offsets":[0,1]} }      \u{20}
            """
        let file = try open(safetensors(header: header, data: [1, 2]))
        #expect(file.entries.map(\.name) == ["a", "b"])
    }

    @Test func everyElementTypeIsRead() throws {
        for type in ElementType.plain {
            let file = try open(safetensors([TestTensor("t", type, [3])]))
            #expect(file.entries.first?.elementType == type)
            #expect(file.entries.first?.byteCount == 3 * type.byteCount)
        }
    }

    @Test func refusesWhatIsNoSafetensorsFile() {
        #expect(refusal([])?.kind == .truncated)
        #expect(refusal([1, 2, 3])?.kind == .truncated)
        #expect(refusal(littleEndian(UInt64.max))?.kind == .malformed)
        #expect(refusal(littleEndian(UInt64(CheckpointLimits.headerBytesMax) + 1) + [1])?.kind == .malformed)
        #expect(refusal(littleEndian(UInt64(100)) + Array("{}".utf8))?.kind == .truncated)
        #expect(refusal(header: "")?.kind == .malformed)
        #expect(refusal(header: "[]")?.kind == .malformed)
        #expect(refusal(header: "{} x")?.kind == .malformed)
        #expect(refusal(header: "{\"a\":")?.kind == .malformed)
        #expect(refusal(header: #"{"a":3}"#)?.kind == .malformed)
        #expect(checkpointError { _ = try SafetensorsFile(path: "/nonexistent/x.safetensors") }?.kind == .missingFile)
        #expect(checkpointError { _ = try SafetensorsFile(path: "/tmp") }?.reason == "is not an ordinary file")
    }

    @Test(arguments: [
        (#"{"a":{"dtype":"F7","shape":[1],"data_offsets":[0,1]}}"#, CheckpointError.Kind.unsupported, "dtype 'F7'"),
        (#"{"a":{"dtype":"U8","shape":[2],"data_offsets":[0,1]}}"#, .malformed, "needs 2 bytes"),
        (#"{"a":{"dtype":"U8","shape":[1],"data_offsets":[1,0]}}"#, .malformed, "no range"),
        (#"{"a":{"dtype":"U8","shape":[1],"data_offsets":[0]}}"#, .malformed, "1 data_offsets"),
        (#"{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1,2]}}"#, .malformed, "more than two"),
        (#"{"a":{"dtype":"U8","shape":[1],"data_offsets":[-1,0]}}"#, .malformed, "whole number"),
        (#"{"a":{"dtype":"U8","shape":[1.5],"data_offsets":[0,1]}}"#, .malformed, "whole number"),
        (#"{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,99999999999999999999]}}"#, .malformed, "whole number"),
        (
            #"{"a":{"dtype":"U8","shape":[1],"data_offsets":[18446744073709551615,18446744073709551615]}}"#, .malformed,
            "no range"
        ),
        (#"{"a":{"shape":[1],"data_offsets":[0,1]}}"#, .malformed, "no dtype"),
        (#"{"a":{"dtype":"U8","data_offsets":[0,1]}}"#, .malformed, "no shape"),
        (#"{"a":{"dtype":"U8","shape":[1]}}"#, .malformed, "no data_offsets"),
        (#"{"a":{"dtype":"U8","dtype":"U8","shape":[1],"data_offsets":[0,1]}}"#, .malformed, "two dtypes"),
        (
            #"{"a":{"dtype":"U64","shape":[4294967296,4294967296],"data_offsets":[0,1]}}"#, .malformed,
            "beyond any memory"
        ),
        (#"{"a":{"dtype":"U8","shape":[18446744073709551615],"data_offsets":[0,1]}}"#, .malformed, "beyond any memory"),
        (#"{"a":{"dtype":"U8","shape":[1,1,1,1,1,1,1,1,1],"data_offsets":[0,1]}}"#, .malformed, "dimensions"),
        (
            #"{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"a":{"dtype":"U8","shape":[0],"data_offsets":[1,1]}}"#,
            .malformed, "twice"
        ),
        (
            #"{"b":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}"#,
            .malformed, "overlaps"
        ),
        (#"{"a":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}}"#, .malformed, "belong to no tensor"),
        (#"{"a":{"dtype":"U8","shape":[5],"data_offsets":[0,5]}}"#, .truncated, "should have"),
    ])
    func refusesBadDescriptions(header: String, kind: CheckpointError.Kind, words: String) throws {
        let error = try #require(refusal(header: header, dataBytes: 1))
        #expect(error.kind == kind)
        #expect(error.description.contains(words), "\(error)")
        #expect(error.description.contains("m.safetensors"), "\(error)")
        #expect(!error.description.contains("\n"))
        if !words.contains("whole") { #expect(error.tensor != nil, "\(error)") }
    }

    @Test func refusesATruncatedFileAndOneThatIsTooLong() throws {
        let bytes = safetensors([TestTensor("a", .f32, [8]), TestTensor("b", .f32, [8])])
        let truncated = try #require(refusal(Array(bytes.dropLast())))
        #expect(truncated.kind == .truncated)
        #expect(truncated.tensor == "b")
        #expect(
            truncated.description.contains("\(bytes.count)") && truncated.description.contains("\(bytes.count - 1)"))
        let long = try #require(refusal(bytes + [0]))
        #expect(long.kind == .malformed)
        #expect(long.description.contains("1 bytes after"))
    }

    @Test func namesCannotBreakTheLineOrFillTheScreen() throws {
        let name = #"a\n\u001b[31m\u2028"# + String(repeating: "x", count: 300)
        let error = try #require(refusal(header: #"{"\#(name)":{"dtype":"F7","shape":[],"data_offsets":[0,0]}}"#))
        #expect(!error.description.contains { $0.isNewline || $0 == "\u{1b}" })
        #expect(error.description.utf8.count < 700)
        let long = String(repeating: "n", count: CheckpointLimits.nameBytesMax + 1)
        #expect(
            self.refusal(header: #"{"\#(long)":{"dtype":"U8","shape":[],"data_offsets":[0,1]}}"#)?.kind == .malformed)
    }

    @Test func deepNestingIsRefusedNotRecursed() {
        let depth = 100_000
        let nest = String(repeating: "[", count: depth) + String(repeating: "]", count: depth)
        #expect(refusal(header: #"{"__metadata__":\#(nest)}"#)?.kind == .malformed)
    }

    /// Whatever the bytes, the reader returns or throws; entries it returns lie inside the file.
    @Test func mutatedHeadersNeverEscapeTheFile() throws {
        let good = safetensors(
            [TestTensor("model.a", .bf16, [3, 5]), TestTensor("model.b", .u8, [7]), TestTensor("c", .f32, [2, 2])],
            metadata: #"{"k":"v\n"}"#)
        let headerBytes = good.count - 30 - 7 - 16 - 8
        var generator = SplitMix(state: 42)
        let spice = Array("{}[]\",:0123456789eE.-\\u\u{0} ".utf8)
        for _ in 0..<3000 {
            var json = Array(good[8..<8 + headerBytes])
            for _ in 0..<Int.random(in: 1...4, using: &generator) {
                let place = Int.random(in: 0..<json.count, using: &generator)
                let byte = spice.randomElement(using: &generator) ?? 0
                switch Int.random(in: 0..<3, using: &generator) {
                case 0: json[place] = byte
                case 1: json.insert(byte, at: place)
                default: json.remove(at: place)
                }
            }
            let fileBytes = UInt64(8 + json.count + 53)
            guard let header = try? SafetensorsHeader(json: json, file: "m", fileBytes: fileBytes) else { continue }
            #expect(header.entries.allSatisfy { $0.byteOffset + UInt64($0.byteCount) <= fileBytes })
        }
    }
}

/// Random numbers from one seed.
struct SplitMix: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}
