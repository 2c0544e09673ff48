// Tests of packing and unpacking, against protoc's encoder and protobuf-c's own unpacking.

import CProtobufC
import CRingProto
import Testing
import Wire

extension EncodedFrame {
    /// The message as the receiver sees it after the length prefix.
    var message: [UInt8] { Array(head.dropFirst(WireLimits.lengthPrefixBytes)) + payload }
}

func decode(_ bytes: [UInt8]) throws(WireError) -> Frame {
    let result: Result<Frame, WireError> = bytes.withUnsafeBytes { raw in
        do throws(WireError) { return .success(try FrameCodec.decode(raw)) } catch { return .failure(error) }
    }
    return try result.get()
}

@Suite struct FrameCodecTests {
    @Test(arguments: GoldenFrame.all)
    func agreesWithProtoc(golden: GoldenFrame) throws {
        let encoded = try FrameCodec.encode(golden.frame)
        #expect(encoded.message == golden.bytes)
        #expect(try decode(golden.bytes) == golden.frame)
    }

    @Test func prefixIsTheBigEndianLength() throws {
        let encoded = try FrameCodec.encode(Frame(.heartbeat(Heartbeat(sequenceNumber: 1))))
        #expect(encoded.head == [0, 0, 0, 4, 0x12, 0x02, 0x08, 0x01])
        #expect(encoded.byteCount == 8)
    }

    @Test func randomFramesReturnAsTheyWere() throws {
        var frames = RandomFrames(seed: 1)
        for round in 0..<400 {
            let frame = frames.frame()
            #expect(try decode(FrameCodec.encode(frame).message) == frame, "round \(round)")
        }
    }

    @Test func payloadIsAnOrdinaryField() throws {
        var frames = RandomFrames(seed: 2)
        for _ in 0..<50 {
            let frame = frames.stepFrame()
            let bytes = try FrameCodec.encode(frame).message
            let unpacked = try #require(ring__frame__unpack(nil, bytes.count, bytes))
            defer { ring__frame__free_unpacked(unpacked, nil) }
            let payload = UnsafeBufferPointer(start: unpacked.pointee.payload.data, count: unpacked.pointee.payload.len)
            #expect(Array(payload) == frame.payload)
            #expect(unpacked.pointee.body_case == RING__FRAME__BODY_STEP)
        }
    }

    /// Another encoder may write the payload before the step; the message is the same.
    @Test func payloadMayComeFirst() throws {
        let golden = try #require(GoldenFrame.all.first { !$0.frame.payload.isEmpty })
        let payloadField = 2 + golden.frame.payload.count
        let turned = Array(golden.bytes.suffix(payloadField) + golden.bytes.dropLast(payloadField))
        #expect(try decode(turned) == golden.frame)
    }

    @Test func unknownFieldsAreIgnored() throws {
        // Field 9 of Heartbeat and field 100 of Frame, as a newer daemon might add them.
        let bytes: [UInt8] = [0x12, 0x04, 0x08, 0x05, 0x48, 0x01, 0xA0, 0x06, 0x01]
        #expect(try decode(bytes) == Frame(.heartbeat(Heartbeat(sequenceNumber: 5))))
    }

    @Test func largestFrameTravels() throws {
        let run = SequenceRun(sequenceID: 1, position: 0, tokens: Array(repeating: 7, count: 512), promptCount: 512)
        let step = Step(epoch: 1, stepID: 1, nextLayer: 1, runs: [run], hiddenSize: 7168)
        let frame = Frame(.step(step), payload: [UInt8](repeating: 0xA5, count: 512 * 7168 * 4))
        #expect(frame.payload.count > WireLimits.payloadBytesMax - (2 << 20))
        #expect(try decode(FrameCodec.encode(frame).message) == frame)
    }

    @Test func aLongReasonIsCut() throws {
        let reason = String(repeating: "ä", count: WireLimits.reasonBytesMax)
        let encoded = try FrameCodec.encode(Frame(.failure(Failure(kind: .compute, reason: reason, shard: "s"))))
        guard case .failure(let failure) = try decode(encoded.message).message else {
            Issue.record("not a failure")
            return
        }
        #expect(failure.reason.utf8.count <= WireLimits.reasonBytesMax)
        #expect(failure.reason.hasPrefix("äääää"))
        #expect(failure.reason.hasSuffix("ä…"))
    }
}
