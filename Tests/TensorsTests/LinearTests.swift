// Products in each format, alone and together, ours and OpenBLAS's, against sums in double.

import Testing

@testable import Tensors

@Suite struct LinearTests {
    static let formats = [
        "f32", "f16", "bf16", "3 bits/64", "4 bits/32", "4 bits/64", "6 bits/64", "8 bits/64", "8 bits/128",
    ]

    static func matrix(_ format: String, outputs: Int, inputs: Int, seed: UInt64 = 1) throws -> StoredMatrix {
        switch format {
        case "f32": return try StoredMatrix(.f32, outputs: outputs, inputs: inputs, withBias: true, seed: seed)
        case "f16": return try StoredMatrix(.f16, outputs: outputs, inputs: inputs, seed: seed)
        case "bf16": return try StoredMatrix(.bf16, outputs: outputs, inputs: inputs, withBias: true, seed: seed)
        default:
            let numbers = try format.split(separator: " bits/").map { try #require(Int($0)) }
            return try StoredMatrix(
                AffineQuantization(bits: numbers[0], group: numbers[1]), outputs: outputs, inputs: inputs, seed: seed)
        }
    }

    static func compute(_ precision: Precision, _ products: ManyRowProducts = .batchInvariant) throws -> Compute {
        Compute(pool: try WorkerPool(threads: 2), precision: precision, manyRowProducts: products)
    }

    /// Largest difference from sums in double, as a fraction of the largest sum.
    static func error(of y: Tensor, _ matrix: StoredMatrix, _ x: [Float]) -> Double {
        let expected = matrix.product(with: x, rows: y.rows)
        let largest = expected.map(abs).max() ?? 1
        return zip(y.array, expected).map { abs(Double($0) - $1) }.max().map { $0 / largest } ?? 0
    }

    @Test(arguments: formats, [1, 3, 17])
    func exactProductsAreThoseOfTheValuesStored(_ format: String, _ rows: Int) throws {
        let matrix = try Self.matrix(format, outputs: 75, inputs: 256)
        var generator = SeededGenerator(seed: 2)
        let x = generator.floats(rows * 256)
        let compute = try Self.compute(.exact)
        let y = try matrix.linear(tensor(x, columns: 256, in: compute))
        #expect(y.rows == rows && y.columns == 75)
        #expect(Self.error(of: y, matrix, x) < 2e-6)
    }

    @Test(arguments: formats)
    func standardProductsAreClose(_ format: String) throws {
        let matrix = try Self.matrix(format, outputs: 75, inputs: 256)
        var generator = SeededGenerator(seed: 2)
        let x = generator.floats(3 * 256)
        let y = try matrix.linear(tensor(x, columns: 256, in: Self.compute(.standard)))
        // Rounding to 8 bits costs half of 1/127 a term, to bf16 half of 1/256 of it; terms of random sign add up like
        // a random walk.
        #expect(Self.error(of: y, matrix, x) < (format.contains("bits") ? 0.01 : format == "bf16" ? 0.003 : 2e-6))
    }

    @Test(arguments: [Precision.exact, .standard])
    func productsComputedTogetherEqualThoseComputedAlone(_ precision: Precision) throws {
        let matrices = try [("bf16", 40), ("4 bits/64", 24), ("8 bits/64", 8)].map {
            try Self.matrix($0.0, outputs: $0.1, inputs: 128, seed: UInt64($0.1))
        }
        let (a, b, c) = (matrices[0].linear, matrices[1].linear, matrices[2].linear)
        var generator = SeededGenerator(seed: 3)
        let compute = try Self.compute(precision)
        let x = try tensor(generator.floats(4 * 128), columns: 128, in: compute)

        let alone = try [a, b, c].map { try $0(x).array }
        let (first, second, third) = try x.projected(by: a, b, c)
        #expect([first.array, second.array, third.array] == alone)
        let (left, right) = try x.projected(by: c, a)
        #expect([left.array, right.array] == [alone[2], alone[0]])
        // The matrices own the memory that the products read.
        withExtendedLifetime((matrices, compute)) {}
    }

    @Test(arguments: formats)
    func openBLASIsCloseToOurProducts(_ format: String) throws {
        // More outputs than a tile, and not a multiple of one.
        let matrix = try Self.matrix(format, outputs: 300, inputs: 128)
        var generator = SeededGenerator(seed: 4)
        let x = generator.floats(OpenBLASProducts.rowsMin * 128)
        let compute = try Self.compute(.exact, .openBLAS)
        let before = compute.arena.usedBytes
        let y = try matrix.linear(tensor(x, columns: 128, in: compute))
        #expect(Self.error(of: y, matrix, x) < 2e-6)
        #expect(compute.arena.usedBytes - before == (x.count + y.count) * 4, "tiles are given back")
    }

    @Test func fewRowsAreOursEvenWhereOpenBLASIsAskedFor() throws {
        let matrix = try Self.matrix("4 bits/64", outputs: 50, inputs: 128)
        var generator = SeededGenerator(seed: 5)
        let x = generator.floats(3 * 128)
        let ours = try matrix.linear(tensor(x, columns: 128, in: Self.compute(.standard))).array
        let asked = try matrix.linear(tensor(x, columns: 128, in: Self.compute(.standard, .openBLAS))).array
        #expect(asked == ours)
    }

    @Test(arguments: formats)
    func rowsCanBeTakenOutOfAMatrix(_ format: String) throws {
        let matrix = try Self.matrix(format, outputs: 20, inputs: 128)
        let ids: [UInt32] = [19, 0, 7, 7]
        let rows = try Tensor(rows: 4, columns: 128, in: Self.compute(.standard))
        ids.withUnsafeBufferPointer { matrix.linear.matrix.gatherRows($0, into: rows) }
        for (row, id) in ids.enumerated() {
            for (value, expected) in zip(
                rows.rows(row..<row + 1).array, matrix.values[Int(id) * 128..<(Int(id) + 1) * 128])
            {
                #expect(abs(Double(value) - expected) < 1e-6)
            }
        }
    }

    @Test func aMatrixThatCannotBeMultipliedIsNamed() throws {
        let memory = UnsafeMutableRawPointer.allocate(byteCount: 4096, alignment: 64)
        defer { memory.deallocate() }
        func affine(bits: Int, group: Int, inputs: Int = 128) throws {
            _ = try Matrix(
                affine: AffineQuantization(bits: bits, group: group), outputs: 2, inputs: inputs, weights: memory,
                scales: memory, biases: memory, scaleType: .bf16, module: "model.layers.3.mlp.up_proj")
        }
        for (bits, group) in [(7, 64), (4, 48), (4, -1), (-4, 64)] {
            let error = try #require(throws: MatrixError.self) { try affine(bits: bits, group: group) }
            #expect(error.description.hasPrefix("model.layers.3.mlp.up_proj: "))
            #expect(error.problem.count > 10)
        }
        #expect(throws: MatrixError.self) { try affine(bits: 4, group: 64, inputs: 0) }
        #expect(throws: MatrixError.self) {
            try Matrix(.f32, outputs: 1 << 33, inputs: 8, weights: memory, module: "lm_head")
        }
    }
}
