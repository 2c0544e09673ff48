// Frames to bytes and back.

import CProtobufC
import CRingProto

/// A frame ready to be written: `head`, then `payload`, in one `writev`.
public struct EncodedFrame: Sendable {
    /// Length prefix, packed fields, and the payload's key and length if there is one.
    public let head: [UInt8]
    /// The frame's payload, not copied.
    public let payload: [UInt8]

    /// Bytes on the wire.
    public var byteCount: Int { head.count + payload.count }
}

/// Packs and unpacks frames with protobuf-c; no input or output of its own.
public enum FrameCodec {
    /// Packs a frame. A failure's reason that is too long is cut.
    /// - Throws: ``WireError`` where the frame breaks a limit that its receiver would check.
    public static func encode(_ frame: Frame) throws(WireError) -> EncodedFrame {
        var frame = frame
        if case .failure(let failure) = frame.message { frame.message = .failure(failure.shortened()) }
        try frame.validate()
        let encoded = pack(frame)
        let messageBytes = encoded.byteCount - WireLimits.lengthPrefixBytes
        guard messageBytes <= WireLimits.frameBytesMax else {
            throw .frameTooLong(found: messageBytes, limit: WireLimits.frameBytesMax)
        }
        return encoded
    }

    /// Unpacks one frame's message, without its length prefix.
    /// - Throws: ``WireError`` where the bytes are no message of the ring or break a limit.
    public static func decode(_ bytes: UnsafeRawBufferPointer) throws(WireError) -> Frame {
        guard bytes.count <= WireLimits.frameBytesMax else {
            throw .frameTooLong(found: bytes.count, limit: WireLimits.frameBytesMax)
        }
        guard case .last(let fieldBytes, let offset) = PayloadPlacement(of: bytes, messageBytes: bytes.count) else {
            return try unpack(bytes, payload: nil)
        }
        return try unpack(
            .init(rebasing: bytes[..<fieldBytes]), payload: Array(UnsafeRawBufferPointer(rebasing: bytes[offset...])))
    }

    /// Unpacks a frame whose payload was read by itself, as ``PayloadPlacement/last(fieldBytes:offset:)`` found it.
    /// - Parameter fields: the first `fieldBytes` bytes of the message.
    public static func decode(fields: UnsafeRawBufferPointer, payload: [UInt8]) throws(WireError) -> Frame {
        try unpack(fields, payload: payload)
    }

    /// Packs a frame as it is.
    static func pack(_ frame: Frame) -> EncodedFrame {
        let arena = MessageArena()
        var packed = Ring__Frame()
        ring__frame__init(&packed)
        switch frame.message {
        case .hello(let hello): (packed.hello, packed.body_case) = (hello.build(in: arena), RING__FRAME__BODY_HELLO)
        case .heartbeat(let heartbeat):
            (packed.heartbeat, packed.body_case) = (heartbeat.build(in: arena), RING__FRAME__BODY_HEARTBEAT)
        case .probe(let probe): (packed.probe, packed.body_case) = (probe.build(in: arena), RING__FRAME__BODY_PROBE)
        case .begin(let begin): (packed.begin, packed.body_case) = (begin.build(in: arena), RING__FRAME__BODY_BEGIN)
        case .step(let step): (packed.step, packed.body_case) = (step.build(in: arena), RING__FRAME__BODY_STEP)
        case .result(let result):
            (packed.result, packed.body_case) = (result.build(in: arena), RING__FRAME__BODY_RESULT)
        case .forget(let forget):
            (packed.forget, packed.body_case) = (forget.build(in: arena), RING__FRAME__BODY_FORGET)
        case .failure(let failure):
            (packed.failure, packed.body_case) = (failure.build(in: arena), RING__FRAME__BODY_FAILURE)
        }
        return withExtendedLifetime(arena) {
            EncodedFrame(head: head(of: &packed, payloadBytes: frame.payload.count), payload: frame.payload)
        }
    }

    private static func head(of packed: inout Ring__Frame, payloadBytes: Int) -> [UInt8] {
        let fieldsStart = WireLimits.lengthPrefixBytes
        let fieldsEnd = fieldsStart + ring__frame__get_packed_size(&packed)
        let keyBytes = payloadBytes == 0 ? 0 : 1 + PayloadPlacement.lengthBytes(payloadBytes)
        return [UInt8](unsafeUninitializedCapacity: fieldsEnd + keyBytes) { target, count in
            FramePrefix.write(
                messageBytes: fieldsEnd - fieldsStart + keyBytes + payloadBytes,
                to: UnsafeMutableRawBufferPointer(target))
            if let base = target.baseAddress { ring__frame__pack(&packed, base + fieldsStart) }
            if payloadBytes > 0 {
                PayloadPlacement.writeKey(payloadBytes: payloadBytes, to: .init(rebasing: target[fieldsEnd...]))
            }
            count = fieldsEnd + keyBytes
        }
    }

    private static func unpack(_ bytes: UnsafeRawBufferPointer, payload: [UInt8]?) throws(WireError) -> Frame {
        let arena = MessageArena(budgetBytes: WireLimits.unpackBytesMax)
        let unpacked = arena.withAllocator { allocator in
            ring__frame__unpack(allocator, bytes.count, bytes.baseAddress?.assumingMemoryBound(to: UInt8.self))
        }
        guard let unpacked else {
            if arena.isExhausted {
                throw .takesTooMuchMemory(frameBytes: bytes.count, limit: WireLimits.unpackBytesMax)
            }
            throw .unreadable(frameBytes: bytes.count)
        }
        return try withExtendedLifetime(arena) { () throws(WireError) in
            let contents = unpacked.pointee
            let payloadField = UnsafeRawBufferPointer(start: contents.payload.data, count: contents.payload.len)
            let frame = Frame(try message(contents), payload: payload ?? Array(payloadField))
            try frame.validate()
            return frame
        }
    }

    private static func message(_ frame: Ring__Frame) throws(WireError) -> Message {
        switch frame.body_case {
        case RING__FRAME__BODY_HELLO: .hello(try read(frame.hello))
        case RING__FRAME__BODY_HEARTBEAT: .heartbeat(try read(frame.heartbeat))
        case RING__FRAME__BODY_PROBE: .probe(try read(frame.probe))
        case RING__FRAME__BODY_BEGIN: .begin(try read(frame.begin))
        case RING__FRAME__BODY_STEP: .step(try read(frame.step))
        case RING__FRAME__BODY_RESULT: .result(try read(frame.result))
        case RING__FRAME__BODY_FORGET: .forget(try read(frame.forget))
        case RING__FRAME__BODY_FAILURE: .failure(try read(frame.failure))
        default: throw .unknownMessage
        }
    }

    private static func read<Body: ProtobufMessage>(
        _ pointer: UnsafeMutablePointer<Body.CMessage>?
    ) throws(WireError) -> Body {
        guard let message = try Body.optional(pointer) else { throw .unknownMessage }
        return message
    }
}
