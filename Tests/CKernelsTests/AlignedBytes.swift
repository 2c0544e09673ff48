// Memory laid out as the kernels ask for it.

import Glibc

/// 64-byte aligned memory, readable for 64 bytes past its end. It starts out filled with ones, which are NaNs as
/// floats:
/// a kernel that lets what it may read but not use reach a result is found out.
final class AlignedBytes {
    let pointer: UnsafeMutableRawPointer
    let count: Int

    init(count: Int) {
        self.count = count
        pointer = UnsafeMutableRawPointer.allocate(byteCount: count + 64, alignment: 64)
        memset(pointer, 0xFF, count + 64)
    }

    convenience init<Element: BitwiseCopyable>(_ elements: [Element]) {
        self.init(count: elements.count * MemoryLayout<Element>.stride)
        elements.withUnsafeBytes { pointer.copyMemory(from: $0.baseAddress!, byteCount: $0.count) }
    }

    deinit { pointer.deallocate() }
}
