// Tests of activations as payload bytes.

import Testing

@testable import Wire

@Suite struct ActivationCodecTests {
    private func decode(_ payload: [UInt8], as format: ActivationFormat, count: Int) -> [Float]? {
        var fits = false
        let floats = [Float](unsafeUninitializedCapacity: count) { target, initialized in
            fits = payload.withUnsafeBytes {
                ActivationCodec.decode($0, as: format, to: UnsafeMutableBufferPointer(rebasing: target[..<count]))
            }
            initialized = fits ? count : 0
        }
        return fits ? floats : nil
    }

    private func encode(_ floats: [Float], as format: ActivationFormat) -> [UInt8] {
        floats.withUnsafeBufferPointer { ActivationCodec.encode($0, as: format) }
    }

    @Test func float32KeepsEveryBit() {
        var generator = SeededGenerator(seed: 6)
        let floats = (0..<1000).map { _ in Float(bitPattern: UInt32(truncatingIfNeeded: generator.next())) }
        let returned = decode(encode(floats, as: .f32), as: .f32, count: 1000)
        #expect(returned?.map(\.bitPattern) == floats.map(\.bitPattern))
        #expect(encode([1.5], as: .f32) == [0, 0, 0xC0, 0x3F])
    }

    @Test func everyBfloat16Returns() {
        let payload = (0...UInt16.max).flatMap { [UInt8(truncatingIfNeeded: $0), UInt8(truncatingIfNeeded: $0 >> 8)] }
        let floats = decode(payload, as: .bf16, count: 65536) ?? []
        #expect(floats.count == 65536)
        for (bits, float) in floats.enumerated() {
            let again = ActivationCodec.bfloat16(float)
            #expect(Int(again) == bits || (float.isNaN && again & 0x7FFF > 0x7F80))
        }
    }

    /// Against rounding done the slow way: the two neighbors are compared by distance, a tie goes to the even one.
    @Test func roundsToTheNearest() {
        var generator = SeededGenerator(seed: 7)
        for _ in 0..<20_000 {
            let value = Float(bitPattern: UInt32(truncatingIfNeeded: generator.next()))
            guard value.isFinite else { continue }
            let below = UInt16(value.bitPattern >> 16)
            // The magnitude's next bfloat16; it may be infinity, which counts as 2^128 here.
            let (low, high) = (magnitude(below), magnitude(below + 1))
            let distance = (abs(Double(value)) - low, high - abs(Double(value)))
            let nearest = distance.0 < distance.1 || (distance.0 == distance.1 && below & 1 == 0) ? below : below + 1
            #expect(ActivationCodec.bfloat16(value) == nearest, "\(value)")
        }
    }

    @Test func tiesGoToEven() {
        #expect(ActivationCodec.bfloat16(Float(bitPattern: 0x3F80_8000)) == 0x3F80)
        #expect(ActivationCodec.bfloat16(Float(bitPattern: 0x3F81_8000)) == 0x3F82)
        #expect(ActivationCodec.bfloat16(Float(bitPattern: 0x3F80_8001)) == 0x3F81)
        #expect(ActivationCodec.bfloat16(.greatestFiniteMagnitude) == 0x7F80)
        #expect(ActivationCodec.bfloat16(Float(bitPattern: 0x7F80_0001)) & 0x7FFF > 0x7F80)
    }

    @Test func aPayloadOfAnotherSizeIsRefused() {
        #expect(decode([0, 0, 0], as: .bf16, count: 1) == nil)
        #expect(decode([0, 0], as: .f32, count: 1) == nil)
        #expect(decode([], as: .f32, count: 0) == [])
    }

    private func magnitude(_ bits: UInt16) -> Double {
        bits & 0x7FFF == 0x7F80 ? 0x1p128 : Double(Float(bitPattern: UInt32(bits & 0x7FFF) << 16))
    }
}
