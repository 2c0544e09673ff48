// Views of tensors, and their bytes on the wire.

import Testing

@testable import Tensors

@Suite struct TensorTests {
    private let compute: Compute

    init() throws {
        compute = Compute(pool: try WorkerPool(threads: 1))
    }

    @Test func viewsShareMemory() throws {
        let x = try tensor((0..<12).map(Float.init), columns: 4, in: compute)
        #expect(Array(x[1]) == [4, 5, 6, 7])
        #expect(Array(x.rows(1..<3)[0]) == [4, 5, 6, 7])
        let narrow = x.reshaped(columns: 2)
        #expect(narrow.rows == 6 && Array(narrow[5]) == [10, 11])
        narrow[5][1] = 99
        #expect(x[2][3] == 99)
    }

    @Test func gatheredRowsAreCopies() throws {
        let x = try tensor((0..<12).map(Float.init), columns: 4, in: compute)
        let gathered = try x.gathering(rows: [2, 0, 2])
        #expect(gathered.array == [8, 9, 10, 11, 0, 1, 2, 3, 8, 9, 10, 11])
        gathered[0][0] = -1
        #expect(x[2][0] == 8)
    }

    @Test(arguments: FloatType.allCases)
    func valuesSurviveTheirBytesAsFarAsTheTypeGoes(_ type: FloatType) throws {
        // The last two lie half-way between neighbors of float16 and bfloat16, and round to the even one.
        let values: [Float] = [0, -1.5, 3.140625, 0.1, 1 + 1 / 2048, 1 + 1 / 256]
        let rounded: [Float] =
            switch type {
            case .f32: values
            case .f16: [0, -1.5, 3.140625, 0.099975586, 1, 1 + 1 / 256]
            case .bf16: [0, -1.5, 3.140625, 0.100097656, 1, 1]
            }
        let x = try tensor(values, columns: 3, in: compute)
        #expect(x.byteCount(as: type) == 6 * type.bytes)

        // One byte in, so that nothing is aligned.
        var bytes = [UInt8](repeating: 0xAA, count: x.byteCount(as: type) + 2)
        bytes.withUnsafeMutableBytes { x.write(as: type, to: .init(rebasing: $0[1..<$0.count - 1])) }
        #expect(bytes.first == 0xAA && bytes.last == 0xAA)
        let y = try Tensor(rows: 2, columns: 3, in: compute)
        bytes.withUnsafeBytes { y.read(as: type, from: .init(rebasing: $0[1..<$0.count - 1])) }
        #expect(y.array == rounded)

        try x.round(to: type)
        #expect(x.array == rounded)
    }

    @Test(arguments: [0, -1, WorkerPool.threadsMax + 1])
    func countsOfThreadsThatCannotBeAreRefused(_ threads: Int) {
        #expect(throws: WorkerPoolError.threadsOutOfRange(threads)) { try WorkerPool(threads: threads) }
    }

    @Test func aPoolRunsEveryItemOnce() throws {
        final class Counts: @unchecked Sendable {  // Each item writes a place of its own.
            let counts = UnsafeMutablePointer<Int>.allocate(capacity: 100)
            init() { counts.initialize(repeating: 0, count: 100) }
            deinit { counts.deallocate() }
        }
        let counts = Counts()
        let pool = try WorkerPool(threads: 3)
        pool.run(items: 100) { counts.counts[$0] += 1 }
        #expect((0..<100).allSatisfy { counts.counts[$0] == 1 })
    }
}
