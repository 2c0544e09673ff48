// Tests of the queue of frames that wait to be written.

import Testing
import Wire

@testable import RingTransport

@Suite struct FrameQueueTests {
    private func frame(_ stepID: UInt64) throws -> EncodedFrame {
        try FrameCodec.encode(.step(stepID, payloadBytes: 64))
    }

    @Test func keepsOrderAndCounts() throws {
        var queue = FrameQueue(framesMax: 1000, bytesMax: 1 << 20)
        var expected: [UInt64] = []
        var taken: [UInt64] = []
        for step in 0..<500 as Range<UInt64> {
            queue.append(try frame(step))
            expected.append(step)
            // Grows to many frames and shrinks to none, over and over.
            while step % 50 > 25, let first = queue.first, queue.count > (50 - step % 50) {
                taken.append(try #require(try decode(first)))
                queue.wrote(first.byteCount)
            }
        }
        while let first = queue.first {
            taken.append(try #require(try decode(first)))
            queue.wrote(first.byteCount)
        }
        #expect(taken == expected)
        #expect(queue.byteCount == 0)
    }

    @Test func aFrameLeavesWhenItIsWrittenWhole() throws {
        var queue = FrameQueue(framesMax: 4, bytesMax: 1 << 20)
        let (first, second) = (try frame(1), try frame(2))
        queue.append(second)
        queue.prepend(first, writtenBytes: 3)
        #expect(queue.writtenBytes == 3)
        queue.wrote(first.byteCount - 4)
        #expect(queue.count == 2)
        queue.wrote(1)
        #expect(queue.count == 1)
        #expect(queue.writtenBytes == 0)
        #expect(queue.byteCount == second.byteCount)
    }

    @Test func limitsFramesAndBytes() throws {
        let size = try frame(1).byteCount
        var queue = FrameQueue(framesMax: 2, bytesMax: 10 * size)
        #expect(queue.hasRoom(for: 100 * size), "an empty queue takes any frame")
        queue.append(try frame(1))
        #expect(queue.hasRoom(for: size))
        #expect(!queue.hasRoom(for: 10 * size))
        queue.append(try frame(2))
        #expect(!queue.hasRoom(for: size))
    }

    private func decode(_ frame: EncodedFrame?) throws -> UInt64? {
        guard let frame else { return nil }
        let message = Array(frame.head.dropFirst(4)) + frame.payload
        return try message.withUnsafeBytes { try FrameCodec.decode($0) }.stepID
    }
}
