// Memory laid out as the kernels ask for it.

import Glibc
import Testing

/// 64-byte aligned memory, readable for 64 bytes past its end. It starts out filled with ones, which are NaNs as
/// floats: a kernel that lets what it may read but not use reach a result is found out.
///
/// It stays until its test has ended, whatever becomes of this object: pointers to it are handed to C, and an
/// optimised build forgets an object after its last use.
final class AlignedBytes {
    let count: Int
    private let block: Block

    var pointer: UnsafeMutableRawPointer { block.pointer }

    init(count: Int) {
        self.count = count
        block = Block(count: count + 64)
        TestMemory.current.keep(block)
    }

    convenience init<Element: BitwiseCopyable>(_ elements: [Element]) {
        self.init(count: elements.count * MemoryLayout<Element>.stride)
        elements.withUnsafeBytes { pointer.copyMemory(from: $0.baseAddress!, byteCount: $0.count) }
    }

    fileprivate final class Block {
        let pointer: UnsafeMutableRawPointer

        init(count: Int) {
            pointer = UnsafeMutableRawPointer.allocate(byteCount: count, alignment: 64)
            memset(pointer, 0xFF, count)
        }

        deinit { pointer.deallocate() }
    }
}

/// The memory of one test. Tests of kernels are serialized and do not start tasks, so it needs no lock.
final class TestMemory: @unchecked Sendable {
    @TaskLocal static var current = TestMemory()

    private var blocks: [AlignedBytes.Block] = []

    fileprivate func keep(_ block: AlignedBytes.Block) {
        blocks.append(block)
    }
}

/// Keeps the memory of each test until the test has ended.
struct KeepsMemory: SuiteTrait, TestTrait, TestScoping {
    var isRecursive: Bool { true }

    func provideScope(
        for test: Test, testCase: Test.Case?, performing function: @Sendable () async throws -> Void
    ) async throws {
        try await TestMemory.$current.withValue(TestMemory()) { try await function() }
    }
}
