// Packed blocks of GGUF files stand for the values that the format's own reference gives them.

import Tensors
import Testing

@testable import Weights

@Suite struct GGUFBlockTests {
    private static let types = ["Q8_0", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q4_K", "Q5_K", "Q6_K"]
    private static let outputs = 3
    private static let inputs = 512

    /// The whole in one part, and each block in its own.
    @Test(arguments: types, [FileTensorReader.partBytes, 2 * ReadRun.blockBytes])
    func valuesAreTheReferences(_ type: String, partBytes: Int) throws {
        let checkpoint = try Checkpoint(directory: "\(Fixtures.directory)/blocks.gguf")
        let reader = FileTensorReader(
            checkpoint, caching: .untouched, calls: FileTensorReader.SystemCalls(), partBytes: partBytes)
        let weights = try LayerWeights.load(LayerPlan(checkpoint, prefix: "\(type)."), from: reader)
        #expect(weights.names == ["biases", "scales", "values", "weight"])

        let words = try #require(weights.tensorIfPresent("weight"))
        let packing = try #require(words.packing)
        #expect(words.shape == [Self.outputs, Self.inputs * packing.bits / 32])
        let shape = [Self.outputs, Self.inputs / packing.group]
        let scales = try weights.tensor("scales", shape: shape)
        let biases = try weights.tensor("biases", shape: shape)
        let matrix = try Matrix(
            affine: AffineQuantization(bits: packing.bits, group: packing.group), outputs: Self.outputs,
            inputs: Self.inputs, weights: words.baseAddress, scales: scales.baseAddress, biases: biases.baseAddress,
            scaleType: scales.elementType == .f32 ? .f32 : .f16, module: type)
        let compute = Compute(pool: try WorkerPool(threads: 1), precision: .exact, arenaBytesMax: 1 << 20)
        let rows = try Tensor(rows: Self.outputs, columns: Self.inputs, in: compute)
        [0, 1, 2].withUnsafeBufferPointer { matrix.gatherRows($0, into: rows) }

        let expected = try weights.tensor("values", shape: [Self.outputs, Self.inputs])
        let values = UnsafeRawBufferPointer(start: expected.baseAddress, count: Self.outputs * Self.inputs * 4)
            .bindMemory(to: Float.self)
        // Equal as numbers, which for floats other than zeros is bit for bit.
        #expect(Array(values) == rows.array)
    }
}
