// Tests of finding a payload from a frame's first bytes.

import Testing
import Wire

@Suite struct PayloadPlacementTests {
    private func placement(_ bytes: some Sequence<UInt8>, of messageBytes: Int) -> PayloadPlacement {
        Array(bytes).withUnsafeBytes { PayloadPlacement(of: $0, messageBytes: messageBytes) }
    }

    /// However few bytes have arrived, the answer is right or "unknown".
    @Test func answersAsSoonAsItCan() throws {
        var frames = RandomFrames(seed: 4)
        for _ in 0..<100 {
            let frame = frames.frame()
            let bytes = try FrameCodec.encode(frame).message
            let whole = placement(bytes, of: bytes.count)
            let expected: PayloadPlacement =
                frame.payload.isEmpty
                ? .whole
                : .last(
                    fieldBytes: bytes.count - frame.payload.count - (frame.payload.count < 128 ? 2 : 3),
                    offset: bytes.count - frame.payload.count)
            #expect(whole == expected)
            for length in 0..<bytes.count {
                let early = placement(bytes.prefix(length), of: bytes.count)
                #expect(early == .unknown || early == whole)
            }
        }
    }

    @Test func readsFieldsAndPayloadApart() throws {
        var frames = RandomFrames(seed: 5)
        let frame = try #require((0..<20).lazy.map { _ in frames.stepFrame() }.first { !$0.payload.isEmpty })
        let bytes = try FrameCodec.encode(frame).message
        guard case .last(let fieldBytes, let offset) = placement(bytes, of: bytes.count) else {
            Issue.record("no payload found")
            return
        }
        let apart = try bytes.withUnsafeBytes {
            try FrameCodec.decode(fields: .init(rebasing: $0[..<fieldBytes]), payload: Array(bytes[offset...]))
        }
        #expect(apart == frame)
    }

    @Test(
        arguments: [
            [0x2A, 0xFF, 0xFF, 0xFF, 0xFF, 0x01],  // a length beyond any frame
            [0x08, 0x01],  // a number where a message belongs
            [0x7A, 0x01, 0x00],  // a payload alone
            [0x2A, 0x00, 0x7A, 0x01, 0x00, 0x00],  // something after the payload
            [0x2A, 0x00, 0x7A, 0x05, 0x00],  // a payload longer than the frame
            [0x2A, 0x00, 0x2A, 0x00, 0x7A, 0x01, 0x00],  // two bodies
        ] as [[UInt8]])
    func leavesTheUnusualToTheOrdinaryWay(bytes: [UInt8]) {
        #expect(placement(bytes, of: bytes.count) == .whole)
    }
}
