// Tests of addresses as people write them.

import Testing

@testable import RingTransport

@Suite struct RingAddressTests {
    @Test(arguments: [
        ("127.0.0.1:50501", "127.0.0.1", 50501), ("shard-1.local:1", "shard-1.local", 1), ("[::1]:8080", "::1", 8080),
        ("[fe80::1%eth0]:65535", "fe80::1%eth0", 65535), ("0.0.0.0:0", "0.0.0.0", 0),
    ])
    func reads(text: String, host: String, port: Int) throws {
        let address = try RingAddress(parsing: text)
        #expect(address.host == host)
        #expect(Int(address.port) == port)
        #expect(address.description == text)
    }

    @Test(arguments: [
        ("", RingAddressError.missingPort("")), ("localhost", .missingPort("localhost")),
        (":50501", .missingHost(":50501")),
        ("host:", .badPort("host:", port: "")), ("host:65536", .badPort("host:65536", port: "65536")),
        ("host:+1", .badPort("host:+1", port: "+1")), ("host:٣", .badPort("host:٣", port: "٣")),
        ("::1:50501", .bareIPv6("::1:50501")), ("[::1:50501", .unclosedBracket("[::1:50501")),
        ("[::1]", .missingPort("[::1]")),
        ("[::1]50501", .missingPort("[::1]50501")), ("http://host:1", .bareIPv6("http://host:1")),
        ("ho st:1", .badHost("ho st:1")), (String(repeating: "a", count: 300) + ":1", .tooLong(bytes: 302)),
    ])
    func refuses(text: String, error: RingAddressError) {
        #expect(throws: error) { try RingAddress(parsing: text) }
    }
}
