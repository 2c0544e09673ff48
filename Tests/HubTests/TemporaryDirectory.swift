// A directory for one test.

import Glibc

@testable import Hub

/// Goes, with its files, when the last reference does.
final class TemporaryDirectory: Sendable {
    let path: String

    struct NotMade: Error {}

    init() throws {
        var template = Array("/tmp/ring-hub-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw NotMade() }
        path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    deinit {
        for name in SmallFile.names(in: path) { unlink("\(path)/\(name)") }
        rmdir(path)
    }
}

func bytes(_ count: Int, seed: Int = 1) -> [UInt8] {
    (0..<count).map { UInt8(truncatingIfNeeded: ($0 &+ seed) &* 2_654_435_761 >> 9) }
}
