// Checkpoints written by others, in every format at hand.

import FoundationEssentials
import Testing

@testable import Weights

/// Next to the repository, where there is one.
let referenceModels: String = {
    let root = #filePath.split(separator: "/").dropLast(3).joined(separator: "/")
    return "/\(root)/../shared/reference/models"
}()

let referenceNames: [String] =
    (try? FileManager.default.contentsOfDirectory(atPath: referenceModels).sorted()) ?? []

@Suite(.enabled(if: !referenceNames.isEmpty)) struct ReferenceCheckpointTests {
    /// A row of tensors.json: name, type, shape, file.
    private struct Row: Decodable {
        let name: String
        let type: String
        let shape: [Int]
        let file: String

        init(from decoder: any Decoder) throws {
            var row = try decoder.unkeyedContainer()
            name = try row.decode(String.self)
            type = try row.decode(String.self)
            shape = try row.decode([Int].self)
            file = try row.decode(String.self)
        }
    }

    private static let typeNames: [ElementType: String] = [
        .f32: "float32", .f16: "float16", .bf16: "bfloat16", .u32: "uint32", .u8: "uint8",
    ]

    @Test(arguments: referenceNames) func tensorsAreThoseTheirWriterLists(name: String) throws {
        let directory = "\(referenceModels)/\(name)"
        let checkpoint = try Checkpoint(directory: directory)
        let rows = try JSONDecoder().decode(
            [Row].self, from: Data(contentsOf: URL(filePath: "\(directory)/tensors.json")))
        #expect(rows.count == checkpoint.tensors.count)
        for row in rows {
            let entry = try #require(checkpoint.tensors[row.name])
            #expect(Self.typeNames[entry.elementType] == row.type)
            #expect(entry.shape == row.shape)
            #expect(checkpoint.files[entry.fileIndex].name == row.file)
        }
    }

    /// The values come from a program of a few lines around Python's xxhash.
    @Test(arguments: [
        ("qwen3-bf16", "4c9c3c810c067a75e3538f394f57c44f"), ("qwen3-moe-bf16", "042932f04d52e4c3ab6aa92d8f031a3a"),
        ("qwen3-4bit-g64", "b6dc27e087083782a01c4aee0898839e"),
        ("deepseek-v2-4bit-g64", "04688753cda4644e229c4fea085c84c3"),
    ])
    func fingerprintIsTheSpecifiedOne(name: String, expected: String) throws {
        let checkpoint = try Checkpoint(directory: "\(referenceModels)/\(name)")
        #expect(try checkpoint.fingerprint().description == expected)
    }

    @Test(arguments: referenceNames, [FileTensorReader.PageCaching.untouched, .filled])
    func everyTensorLoadsAsItIsStored(name: String, caching: FileTensorReader.PageCaching) throws {
        let checkpoint = try Checkpoint(directory: "\(referenceModels)/\(name)")
        let weights = try LayerWeights.load(
            LayerPlan(checkpoint, prefixes: [""]), from: FileTensorReader(checkpoint, caching: caching))
        #expect(weights.names == checkpoint.tensors.keys.sorted())
        for entry in checkpoint.tensors.values {
            let data = try Data(contentsOf: URL(filePath: checkpoint.files[entry.fileIndex].path))
            let stored = [UInt8](data[Int(entry.byteOffset)..<Int(entry.byteOffset) + entry.byteCount])
            let tensor = try weights.tensor(entry.name, shape: entry.shape)
            if entry.shape.count == 1, entry.elementType == .bf16 {
                #expect(
                    tensor.floats.map { UInt16($0.bitPattern >> 16) }.flatMap(littleEndian) == stored, "\(entry.name)")
            } else if entry.shape.count == 1, entry.elementType == .f16 {
                #expect(tensor.elementType == .f32)
            } else {
                #expect(tensor.contents == stored, "\(entry.name)")
            }
        }
    }
}
