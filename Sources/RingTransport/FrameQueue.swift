// Frames that wait to be written.

import Wire

/// A bounded queue of encoded frames, the first of which may be partly written.
struct FrameQueue {
    private let framesMax: Int
    private let bytesMax: Int
    private var frames: [EncodedFrame?] = []
    // Frames before it are gone; the array is compacted when they are half of it, so that taking the first costs
    // little.
    private var start = 0
    private(set) var byteCount = 0
    /// Bytes of the first frame that were written.
    private(set) var writtenBytes = 0

    init(framesMax: Int, bytesMax: Int) {
        self.framesMax = framesMax
        self.bytesMax = bytesMax
    }

    var count: Int { frames.count - start }
    var isEmpty: Bool { count == 0 }
    var first: EncodedFrame? { isEmpty ? nil : frames[start] }

    /// Whether a frame of so many bytes fits. An empty queue takes any frame.
    func hasRoom(for bytes: Int) -> Bool {
        isEmpty || (count < framesMax && byteCount + bytes <= bytesMax)
    }

    mutating func append(_ frame: EncodedFrame) {
        frames.append(frame)
        byteCount += frame.byteCount
    }

    /// Puts a frame before all others, because it was partly written.
    mutating func prepend(_ frame: EncodedFrame, writtenBytes: Int) {
        frames.insert(frame, at: start)
        byteCount += frame.byteCount
        self.writtenBytes = writtenBytes
    }

    /// Notes that more bytes of the first frame were written, and removes it when it is complete.
    mutating func wrote(_ bytes: Int) {
        guard let frame = first else { return }
        writtenBytes += bytes
        guard writtenBytes >= frame.byteCount else { return }
        byteCount -= frame.byteCount
        writtenBytes = 0
        frames[start] = nil
        start += 1
        if 2 * start >= frames.count {
            frames.removeFirst(start)
            start = 0
        }
    }
}
