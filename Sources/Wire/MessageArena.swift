// Memory for the C structs of one frame, given back all at once.

import CProtobufC
import CRingProto

/// A bump allocator: building or unpacking a frame's C structs costs one `malloc` in the ordinary case, and no way
/// out of a function leaks.
///
/// As an allocator for protobuf-c it refuses to go beyond its budget, because a few hostile bytes can ask for a
/// hundred times their size in structs.
final class MessageArena {
    /// Holds the structs of a decode step of eight sequences.
    private static let chunkBytes = 4096
    /// What `malloc` guarantees on 64-bit machines.
    private static let alignment = 16

    private var chunks: [UnsafeMutableRawPointer] = []
    private var cursor: UnsafeMutableRawPointer?
    private var chunkBytesLeft = 0
    private var budgetBytes: Int
    /// Whether an allocation was refused for the budget.
    private(set) var isExhausted = false

    init(budgetBytes: Int = .max) {
        self.budgetBytes = budgetBytes
    }

    deinit {
        for chunk in chunks { chunk.deallocate() }
    }

    /// Memory until the arena ends; `nil` beyond the budget.
    func allocate(bytes: Int) -> UnsafeMutableRawPointer? {
        let (padded, overflow) = bytes.addingReportingOverflow(Self.alignment - 1)
        guard bytes >= 0, !overflow else {
            isExhausted = true
            return nil
        }
        let size = max(padded, Self.alignment) & ~(Self.alignment - 1)
        guard size <= budgetBytes else {
            isExhausted = true
            return nil
        }
        budgetBytes -= size
        if size > chunkBytesLeft {
            let chunkSize = max(size, Self.chunkBytes)
            let chunk = UnsafeMutableRawPointer.allocate(byteCount: chunkSize, alignment: Self.alignment)
            chunks.append(chunk)
            // A large request gets a chunk of its own, and the one in use stays in use.
            if size > Self.chunkBytes { return chunk }
            (cursor, chunkBytesLeft) = (chunk, chunkSize)
        }
        let place = cursor
        cursor = cursor?.advanced(by: size)
        chunkBytesLeft -= size
        return place
    }

    /// Runs `body` with this arena as an allocator for protobuf-c.
    func withAllocator<Result>(_ body: (UnsafeMutablePointer<ProtobufCAllocator>) -> Result) -> Result {
        withExtendedLifetime(self) {
            var allocator = ProtobufCAllocator(
                alloc: { arena, size in
                    guard let arena, let bytes = Int(exactly: size) else { return nil }
                    return Unmanaged<MessageArena>.fromOpaque(arena).takeUnretainedValue().allocate(bytes: bytes)
                },
                free: { _, _ in },
                allocator_data: Unmanaged.passUnretained(self).toOpaque())
            return body(&allocator)
        }
    }
}

// Building, without a budget: what is packed was checked against the limits before.
extension MessageArena {
    private func place<T>(_ type: T.Type, count: Int) -> UnsafeMutablePointer<T>? {
        allocate(bytes: count * MemoryLayout<T>.stride)?.bindMemory(to: T.self, capacity: count)
    }

    /// A C message with its default values.
    func message<T>(_ initialize: (UnsafeMutablePointer<T>?) -> Void, fill: (inout T) -> Void) -> UnsafeMutablePointer<
        T
    >? {
        guard let message = place(T.self, count: 1) else { return nil }
        initialize(message)
        fill(&message.pointee)
        return message
    }

    /// A repeated message field.
    func pointers<Element, T>(
        _ elements: [Element], _ build: (Element) -> UnsafeMutablePointer<T>?
    ) -> UnsafeMutablePointer<UnsafeMutablePointer<T>?>? {
        guard !elements.isEmpty, let list = place(UnsafeMutablePointer<T>?.self, count: elements.count) else {
            return nil
        }
        for (index, element) in elements.enumerated() {
            list.advanced(by: index).initialize(to: build(element))
        }
        return list
    }

    /// A repeated number.
    func numbers<T: FixedWidthInteger>(_ values: [T]) -> UnsafeMutablePointer<T>? {
        guard !values.isEmpty, let list = place(T.self, count: values.count) else { return nil }
        values.withUnsafeBufferPointer { source in
            guard let base = source.baseAddress else { return }
            list.initialize(from: base, count: source.count)
        }
        return list
    }

    /// A text without NUL bytes, which a C string cannot hold.
    func text(_ text: String) -> UnsafeMutablePointer<CChar>? {
        let bytes = text.utf8.lazy.filter { $0 != 0 }
        guard let place = place(CChar.self, count: text.utf8.count + 1) else { return nil }
        var end = place
        for byte in bytes {
            end.initialize(to: CChar(bitPattern: byte))
            end = end.advanced(by: 1)
        }
        end.initialize(to: 0)
        return place
    }

    func bytes(_ bytes: [UInt8]) -> ProtobufCBinaryData {
        ProtobufCBinaryData(len: bytes.count, data: numbers(bytes))
    }
}
