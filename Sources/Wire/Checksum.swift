// The checksum of payloads.

import CXXHash

/// Detects a payload that changed on the way; not a defense against someone who wants to change it.
public enum Checksum {
    /// XXH3 (64 bits, seed 0) of the bytes: what ``Step/checksum`` holds.
    public static func xxh3(of bytes: [UInt8]) -> UInt64 {
        bytes.withUnsafeBytes { xxh3(of: $0) }
    }

    /// XXH3 (64 bits, seed 0) of the bytes.
    public static func xxh3(of bytes: UnsafeRawBufferPointer) -> UInt64 {
        UInt64(XXH3_64bits(bytes.baseAddress, bytes.count))
    }
}
