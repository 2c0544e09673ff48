// How much memory this process holds and how much is left, as the kernel counts it.

import Glibc

enum MemoryInformation {
    /// Resident set in bytes, from `/proc/self/statm`; 0 when it cannot be read.
    static func residentBytes() -> UInt64 { statmBytes(field: 1) }

    /// Bytes of the machine's memory, or of the control group's share where that is less.
    static func totalBytes() -> UInt64 {
        let pages = UInt64(max(0, sysconf(Int32(_SC_PHYS_PAGES))))
        let machine = pages * UInt64(getpagesize())
        let limits = ["/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"].compactMap(number)
        return limits.reduce(machine, min)
    }

    /// Bytes that can still be taken without swapping: of the machine, or of the control groups and the resource limits
    /// of this process where they leave less.
    static func availableBytes() -> UInt64 {
        var available = UInt64.max
        for line in read("/proc/meminfo").split(separator: "\n") where line.hasPrefix("MemAvailable:") {
            if let kilobytes = UInt64(line.split(separator: " ")[1]) { available = kilobytes * 1024 }
        }
        available = min(
            available, controlGroupBytes(mount: "/sys/fs/cgroup", membership: read("/proc/self/cgroup")) ?? .max)
        for line in read("/proc/self/limits").split(separator: "\n") {
            // Total size of the address space, and private writable memory.
            let field = line.hasPrefix("Max address space") ? 0 : line.hasPrefix("Max data size") ? 5 : nil
            let words = line.split(separator: " ")
            guard let field, words.count > 3, let limit = UInt64(words[3]) else { continue }
            let used = statmBytes(field: field)
            available = min(available, limit > used ? limit - used : 0)
        }
        return available == .max ? 0 : available
    }

    /// Bytes that the control groups of a process leave it, of version 1 or 2; `nil` when they do not say.
    /// - Parameters:
    ///   - mount: where control groups are mounted.
    ///   - membership: the contents of `/proc/self/cgroup`.
    static func controlGroupBytes(mount: String, membership: String) -> UInt64? {
        var available: UInt64?
        for line in membership.split(separator: "\n") {
            let parts = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
            guard parts.count == 3 else { continue }
            let root: String
            let names: (limit: String, usage: String, statistics: String)
            if parts[1].isEmpty {
                root = mount
                names = ("memory.max", "memory.current", "")
            } else if parts[1].split(separator: ",").contains("memory") {
                root = mount + "/memory"
                names = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_")
            } else {
                continue
            }
            // A limit of any group on the way up holds. In a container the path may be that of the host, and the
            // container's own group is the root.
            var path = parts[2].split(separator: "/")
            while true {
                let group = ([root] + path.map(String.init)).joined(separator: "/")
                if let limit = number("\(group)/\(names.limit)"), let usage = number("\(group)/\(names.usage)") {
                    let used = usage - min(usage, fileBytes("\(group)/memory.stat", prefix: names.statistics))
                    available = min(available ?? .max, limit > used ? limit - used : 0)
                }
                if path.popLast() == nil { break }
            }
        }
        return available
    }

    /// Bytes of the page cache that count as used by a group but make room when they must.
    private static func fileBytes(_ path: String, prefix: String) -> UInt64 {
        var bytes: UInt64 = 0
        for line in read(path).split(separator: "\n") {
            let words = line.split(separator: " ")
            guard words.count == 2, words[0] == prefix + "inactive_file" || words[0] == prefix + "active_file" else {
                continue
            }
            bytes += UInt64(words[1]) ?? 0
        }
        return bytes
    }

    private static func statmBytes(field: Int) -> UInt64 {
        let fields = read("/proc/self/statm").split(separator: " ")
        guard fields.count > field, let pages = UInt64(fields[field]) else { return 0 }
        return pages * UInt64(getpagesize())
    }

    /// `nil` when the file is absent or says `max`.
    private static func number(_ path: String) -> UInt64? {
        UInt64(read(path).split(separator: "\n").first ?? "")
    }

    /// The beginning of a file that the kernel makes, 64 KiB at the most; empty when it cannot be read.
    private static func read(_ path: String) -> String {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return "" }
        defer { close(descriptor) }
        var contents: [UInt8] = []
        var bytes = [UInt8](repeating: 0, count: 16384)
        while contents.count < 65536 {
            let count = Glibc.read(descriptor, &bytes, bytes.count)
            guard count > 0 else { break }
            contents += bytes.prefix(count)
        }
        return String(decoding: contents, as: UTF8.self)
    }
}
