// Tests that damaged and hostile bytes give an error or a valid frame, never more.

import Testing
import Wire

@Suite struct FrameRobustnessTests {
    /// What is read must itself be a frame within the limits.
    private func readOrRefuse(_ bytes: [UInt8]) -> Frame? {
        do throws(WireError) {
            let frame = try decode(bytes)
            #expect(throws: Never.self) { try FrameCodec.encode(frame) }
            return frame
        } catch {
            return nil
        }
    }

    @Test(arguments: GoldenFrame.all)
    func everyTruncation(golden: GoldenFrame) {
        for length in 0..<golden.bytes.count {
            #expect(readOrRefuse(Array(golden.bytes.prefix(length))) != golden.frame, "\(length) bytes")
        }
    }

    @Test(arguments: GoldenFrame.all)
    func everyFlippedBit(golden: GoldenFrame) {
        for bit in 0..<(golden.bytes.count * 8) {
            var flipped = golden.bytes
            flipped[bit / 8] ^= 1 << (bit % 8)
            _ = readOrRefuse(flipped)
        }
    }

    @Test func randomBytes() {
        var generator = SeededGenerator(seed: 3)
        for _ in 0..<2000 {
            let count = Int.random(in: 0...64, using: &generator)
            var bytes = (0..<count).map { _ in UInt8.random(in: 0...255, using: &generator) }
            // Half of them begin like a step, to get beyond the first byte.
            if count > 2, Bool.random(using: &generator) { (bytes[0], bytes[1]) = (0x2A, UInt8(count - 2)) }
            _ = readOrRefuse(bytes)
        }
    }

    /// Two bytes ask for a struct of more than two hundred; sixteen megabytes of them must not become gigabytes.
    @Test func structsAreBounded() {
        let count = (WireLimits.frameBytesMax - 16) / 2
        var body = [UInt8](repeating: 0, count: 2 * count)
        for index in stride(from: 0, to: body.count, by: 2) { body[index] = 0x1A }
        let length = varint(body.count)
        #expect(
            throws: WireError.takesTooMuchMemory(
                frameBytes: 1 + length.count + body.count, limit: WireLimits.unpackBytesMax)
        ) { try decode([0x1A] + length + body) }
    }

    @Test func anEmptyOrForeignMessageIsRefused() {
        #expect(throws: WireError.unknownMessage) { try decode([]) }
        // A valid protobuf message with nothing of ours in it.
        #expect(throws: WireError.unknownMessage) { try decode([0xA0, 0x06, 0x01]) }
        #expect(throws: WireError.unreadable(frameBytes: 3)) { try decode([0xFF, 0xFF, 0xFF]) }
    }

    @Test func textMustBeUTF8() {
        // Hello with the name C3 28.
        let bytes: [UInt8] = [0x0A, 0x08, 0x08, 0x01, 0x1A, 0x02, 0xC3, 0x28, 0x20, 0x01]
        #expect(throws: WireError.field(message: "Hello", field: "name", found: "not UTF-8", allowed: "text in UTF-8"))
        {
            try decode(bytes)
        }
    }

    private func varint(_ value: Int) -> [UInt8] {
        value < 0x80 ? [UInt8(value)] : [UInt8(value & 0x7F) | 0x80] + varint(value >> 7)
    }
}
