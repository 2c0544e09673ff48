// The processors this process may use, and the host's name.

import FoundationEssentials
import Glibc

enum Processors {
    /// Processors that this process may run on, so that containers and `taskset` count.
    static func allowed() -> Int {
        max(1, ProcessInfo.processInfo.activeProcessorCount)
    }

    static func hostName() -> String {
        var name = [CChar](repeating: 0, count: 256)
        guard gethostname(&name, name.count - 1) == 0 else { return "shard" }
        return String(decoding: name.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}
