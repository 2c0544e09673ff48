// Conversions between float32 and the half-width types.

import CKernels
import Testing

extension KernelTests {
    @Suite struct Convert {
        @Test func everyHalfIsWorthWhatItsDefinitionSays() {
            let halves = (0...UInt16.max).map { $0 }
            expectSameEverywhere("f16 to f32") { _ in
                var out = [Float](repeating: 0, count: halves.count)
                ck_convert_to_f32(CK_F16, halves, halves.count, &out)
                for (half, value) in zip(halves, out) {
                    switch half & 0x7FFF {
                    case 0x7C00: #expect(value == (half & 0x8000 == 0 ? .infinity : -.infinity))
                    case 0x7C01...: #expect(value.isNaN)
                    default: #expect(value.bitPattern == float16Value(half).bitPattern)
                    }
                }
                return out
            }
        }

        @Test func everyBFloatIsTheUpperHalfOfAFloat() {
            let halves = (0...UInt16.max).map { $0 }
            expectSameEverywhere("bf16 to f32") { _ in
                var out = [Float](repeating: 0, count: halves.count)
                ck_convert_to_f32(CK_BF16, halves, halves.count, &out)
                #expect(zip(halves, out).allSatisfy { $1.bitPattern >> 16 == UInt32($0) || $1.isNaN })
                return out
            }
        }

        /// Every half, every midpoint between two neighbours and the floats next to it round as IEEE asks.
        @Test func roundingToHalvesIsToNearestEven() {
            var floats: [Float] = []
            var expected: [UInt16] = []
            for bits in 0..<UInt16(0x7C00) {
                let value = float16Value(bits)
                let next = bits == 0x7BFF ? Float(65536) : float16Value(bits + 1)
                let middle = (value + next) / 2
                let even = bits % 2 == 0 ? bits : bits + 1
                floats += [value, middle.nextDown, middle, middle.nextUp]
                expected += [bits, bits, even, bits + 1]
            }
            floats += floats.map { -$0 }
            expected += expected.map { $0 | 0x8000 }
            for instructionSet in instructionSets {
                using(instructionSet) {
                    var out = [UInt16](repeating: 0, count: floats.count)
                    ck_convert_from_f32(CK_F16, floats, floats.count, &out)
                    #expect(out == expected)
                }
            }
        }

        @Test func roundingToBFloatsIsToNearestEven() {
            let cases: [(UInt32, UInt16)] = [
                (0x3F80_0000, 0x3F80), (0x3F80_7FFF, 0x3F80), (0x3F80_8000, 0x3F80), (0x3F80_8001, 0x3F81),
                (0x3F81_8000, 0x3F82), (0xBF81_8000, 0xBF82), (0x7F7F_FFFF, 0x7F80), (0x7F80_0000, 0x7F80),
                (0x0000_0001, 0x0000), (0x0000_8001, 0x0001), (0x8000_0000, 0x8000),
            ]
            let floats = (0..<3).flatMap { _ in cases.map { Float(bitPattern: $0.0) } }
            let expected = (0..<3).flatMap { _ in cases.map(\.1) }
            for instructionSet in instructionSets {
                using(instructionSet) {
                    var out = [UInt16](repeating: 0, count: floats.count)
                    ck_convert_from_f32(CK_BF16, floats, floats.count, &out)
                    #expect(out == expected)
                }
            }
        }

        @Test(arguments: [CK_F16, CK_BF16]) func nothingIsLostOnTheWayThereAndBack(type: ck_float_type) {
            var random = RandomSource(seed: 3)
            let floats = random.floats(1000, .wide) + [.infinity, -.infinity, .nan, -.nan, 1e30, -1e30, 0, -0.0]
            expectSameEverywhere("there and back") { _ in
                var halves = [UInt16](repeating: 0, count: floats.count)
                ck_convert_from_f32(type, floats, floats.count, &halves)
                var back = [Float](repeating: 0, count: floats.count)
                ck_convert_to_f32(type, halves, floats.count, &back)
                var again = [UInt16](repeating: 0, count: floats.count)
                ck_convert_from_f32(type, back, floats.count, &again)
                #expect(again == halves)
                #expect(zip(floats, back).allSatisfy { $0.isNaN == $1.isNaN })
                return back
            }
        }
    }
}
