// PythonText+Search: finding a string in another, in time linear in both whatever they hold.

import Glibc

extension PythonText {
    /// Needles up to this length are tried at each place where their first byte is: fast, and at worst this many times
    /// the length of the text. Longer ones are found with a table, lest repetitive text takes forever.
    private static let plainNeedleBytesMax = 32

    /// Where `needle` first starts at or after `start`, in bytes.
    static func firstOffset(
        of needle: UnsafeBufferPointer<UInt8>, in bytes: UnsafeBufferPointer<UInt8>, from start: Int = 0
    ) -> Int? {
        guard bytes.count - start >= needle.count else { return nil }
        guard let first = needle.first else { return start }
        if needle.count > plainNeedleBytesMax { return tabledOffset(of: needle, in: bytes, from: start) }
        guard let text = bytes.baseAddress, let wanted = needle.baseAddress else { return nil }
        // The first byte can be nowhere else.
        let end = bytes.count - needle.count + 1
        var position = start
        while position < end, let found = memchr(text + position, CInt(first), end - position) {
            position = UnsafeRawPointer(found) - UnsafeRawPointer(text)
            if memcmp(text + position, wanted, needle.count) == 0 { return position }
            position += 1
        }
        return nil
    }

    /// The same by Knuth, Morris and Pratt.
    private static func tabledOffset(
        of needle: UnsafeBufferPointer<UInt8>, in bytes: UnsafeBufferPointer<UInt8>, from start: Int
    ) -> Int? {
        // For each length of match, the next shorter one that the same bytes also make.
        var shorter = [0]
        var matched = 0
        for position in 1..<needle.count {
            while matched > 0, needle[position] != needle[matched] { matched = shorter[matched - 1] }
            if needle[position] == needle[matched] { matched += 1 }
            shorter.append(matched)
        }
        matched = 0
        for position in start..<bytes.count {
            while matched > 0, bytes[position] != needle[matched] { matched = shorter[matched - 1] }
            if bytes[position] == needle[matched] { matched += 1 }
            if matched == needle.count { return position + 1 - matched }
        }
        return nil
    }

    /// Where each `needle` starts, in bytes, left to right without overlap. `needle` is not empty.
    static func offsets(of needle: String, in text: String, countMax: Int = .max) -> [Int] {
        withBytes(needle) { needle in
            withBytes(text) { bytes in
                var found: [Int] = []
                var position = 0
                while found.count < countMax, let offset = firstOffset(of: needle, in: bytes, from: position) {
                    found.append(offset)
                    position = offset + needle.count
                }
                return found
            }
        }
    }

    /// How often `needle` is in `text`, left to right without overlap. `needle` is not empty.
    static func count(of needle: String, in text: String, countMax: Int = .max) -> Int {
        withBytes(needle) { needle in
            withBytes(text) { bytes in
                var count = 0
                var position = 0
                while count < countMax, let offset = firstOffset(of: needle, in: bytes, from: position) {
                    count += 1
                    position = offset + needle.count
                }
                return count
            }
        }
    }

    /// The same from the right: the last ones, in ascending order. `needle` is not empty.
    static func lastOffsets(of needle: String, in text: String, countMax: Int = .max) -> [Int] {
        // Overlapping matches are taken from the right: the same as from the left with both reversed.
        let reversedNeedle = Array(needle.utf8.reversed())
        let reversedText = Array(text.utf8.reversed())
        return reversedNeedle.withUnsafeBufferPointer { needle in
            reversedText.withUnsafeBufferPointer { bytes in
                var found: [Int] = []
                var position = 0
                while found.count < countMax, let offset = firstOffset(of: needle, in: bytes, from: position) {
                    position = offset + needle.count
                    found.append(bytes.count - position)
                }
                return found.reversed()
            }
        }
    }

    static func contains(_ text: String, _ needle: String) -> Bool {
        withBytes(needle) { needle in withBytes(text) { firstOffset(of: needle, in: $0) != nil } }
    }
}
