// Tests of the payload checksum.

import Testing
import Wire

@Suite struct ChecksumTests {
    /// The values that the xxhash reference library publishes for the empty input (its sanity test, seed 0).
    @Test func emptyInput() {
        #expect(Checksum.xxh3(of: []) == 0x2D06_8005_38D3_94C2)
    }

    @Test func anyFlippedBitShows() {
        let bytes = (0..<257).map { UInt8(truncatingIfNeeded: $0 &* 31) }
        let checksum = Checksum.xxh3(of: bytes)
        for bit in 0..<(bytes.count * 8) {
            var flipped = bytes
            flipped[bit / 8] ^= 1 << (bit % 8)
            #expect(Checksum.xxh3(of: flipped) != checksum, "bit \(bit)")
        }
    }
}
