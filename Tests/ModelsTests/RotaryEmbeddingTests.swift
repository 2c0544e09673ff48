// Rotary frequencies and angles against transformers and the formula.

import FoundationEssentials
import Glibc
import Tensors
import Testing

@testable import Models

@Suite struct RotaryEmbeddingTests {
    /// What Fixtures/make_rotary_frequencies.py wrote.
    struct Reference: Decodable, Sendable, CustomTestStringConvertible {
        let scaling: JSONValue
        let frequencies: [Float]
        let magnitude: Float

        var testDescription: String {
            guard case .object(let fields) = scaling else { return "" }
            return fields.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }.joined(separator: ", ")
        }

        static func all() throws -> [Reference] {
            let file = URL(filePath: Fixtures.directory).appending(path: "rotary_frequencies.json")
            return try JSONDecoder().decode([Reference].self, from: Data(contentsOf: file))
        }
    }

    @Test(arguments: try Reference.all())
    func scalingsEqualTransformers(_ reference: Reference) throws {
        let fields = ConfigFields(path: "", values: ["rope_theta": .number(1e6), "rope_scaling": reference.scaling])
        let rotary = try RotaryEmbedding(fields, headDimension: 64, contextTokens: 40_960)
        #expect(rotary.inverseFrequencies.count == reference.frequencies.count)
        for (frequency, expected) in zip(rotary.inverseFrequencies, reference.frequencies) {
            // transformers computes powers in float32.
            #expect(abs(frequency - expected) <= 2e-6 * expected)
        }
        #expect(abs(rotary.scaling.magnitude - reference.magnitude) <= 1e-6)
    }

    @Test func newerFilesHoldAllInRopeParameters() throws {
        let inside = ConfigFields(
            path: "",
            values: [
                "rope_parameters": .object([
                    "rope_type": .string("linear"), "factor": .number(2), "rope_theta": .number(1e4),
                    "partial_rotary_factor": .number(0.5),
                ]),
                "rope_theta": .number(5),
            ])
        let rotary = try RotaryEmbedding(inside, headDimension: 8, contextTokens: 10)
        #expect(rotary.dimension == 4)
        #expect(rotary.inverseFrequencies == [0.5, 0.005])
    }

    @Test func anglesAreThoseOfEachRowsPosition() throws {
        let compute = Compute(pool: try WorkerPool(threads: 1))
        let rotary = RotaryEmbedding(dimension: 4, theta: 100)
        let angles = try rotary.angles(at: [0, 3, 70_000], in: compute)
        #expect(angles.cosines.rows(0..<1).array == [1, 1] && angles.sines.rows(0..<1).array == [0, 0])
        #expect(angles.cosines.rows(1..<2).array == [Float(cos(3.0)), Float(cos(Double(Float(3) * Float(0.1))))])
        #expect(
            angles.sines.rows(2..<3).array == [Float(sin(70_000.0)), Float(sin(Double(Float(70_000) * Float(0.1))))])
    }
}
