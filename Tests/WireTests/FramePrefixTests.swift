// Tests of the length before each frame, and of first bytes that are not one.

import Testing
import Wire

@Suite struct FramePrefixTests {
    private func length(_ bytes: [UInt8], limit: Int = WireLimits.frameBytesMax, isFirst: Bool = false) throws -> Int {
        try bytes.withUnsafeBytes { try FramePrefix.messageBytes($0, limit: limit, isFirst: isFirst) }
    }

    @Test func readsLengths() throws {
        #expect(try length([0, 0, 0, 1]) == 1)
        #expect(try length([0, 0xFF, 0xFF, 0xFF]) == WireLimits.frameBytesMax)
        #expect(try length([0, 0x01, 0x02, 0x03, 0x99]) == 0x010203)
    }

    @Test func refusesLengths() {
        #expect(throws: WireError.emptyFrame) { try length([0, 0, 0, 0]) }
        #expect(throws: WireError.frameTooLong(found: 1 << 24, limit: WireLimits.frameBytesMax)) {
            try length([1, 0, 0, 0])
        }
        #expect(throws: WireError.frameTooLong(found: 4097, limit: 4096)) {
            try length([0, 0, 0x10, 0x01], limit: WireLimits.helloBytesMax, isFirst: true)
        }
    }

    @Test(arguments: [
        ("GET / HTTP/1.1", ForeignProtocol.http), ("POST /v1/chat/completions", .http), ("PUT /", .http),
        ("\u{16}\u{3}\u{1}\u{2}", .tls), ("SSH-2.0-OpenSSH", .unknown), ("hello", .unknown),
    ])
    func namesOtherProtocols(text: String, foreign: ForeignProtocol) {
        #expect(throws: WireError.foreign(foreign)) { try length(Array(text.utf8), isFirst: true) }
        #expect(WireError.foreign(foreign).description.contains("ring port"))
    }

    @Test func aFirstByteOfZeroIsTheRings() {
        #expect(ForeignProtocol(firstBytes: [0]) == nil)
        #expect(ForeignProtocol(firstBytes: []) == nil)
        #expect(ForeignProtocol(firstBytes: [0x47]) == .http)
    }
}
