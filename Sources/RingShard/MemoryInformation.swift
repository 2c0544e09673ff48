// How much memory this process holds and how much is left, as the kernel counts it.

import Glibc

enum MemoryInformation {
    /// Resident set in bytes, from `/proc/self/statm`; 0 when it cannot be read.
    static func residentBytes() -> UInt64 {
        let fields = read("/proc/self/statm").split(separator: " ")
        guard fields.count > 1, let pages = UInt64(fields[1]) else { return 0 }
        return pages * UInt64(sysconf(Int32(_SC_PAGESIZE)))
    }

    /// Bytes of the machine's memory, or of the control group's share where that is less.
    static func totalBytes() -> UInt64 {
        let pages = UInt64(max(0, sysconf(Int32(_SC_PHYS_PAGES))))
        let machine = pages * UInt64(sysconf(Int32(_SC_PAGESIZE)))
        let limits = ["/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"].compactMap(number)
        return limits.reduce(machine, min)
    }

    /// Bytes that can still be taken without swapping: of the machine, or of the control group where that is less.
    static func availableBytes() -> UInt64 {
        var available = UInt64.max
        for line in read("/proc/meminfo").split(separator: "\n") where line.hasPrefix("MemAvailable:") {
            if let kilobytes = UInt64(line.split(separator: " ")[1]) { available = kilobytes * 1024 }
        }
        if let limit = number("/sys/fs/cgroup/memory.max"), let used = number("/sys/fs/cgroup/memory.current") {
            available = min(available, limit > used ? limit - used : 0)
        }
        if let limit = number("/sys/fs/cgroup/memory/memory.limit_in_bytes"),
            let used = number("/sys/fs/cgroup/memory/memory.usage_in_bytes")
        {
            available = min(available, limit > used ? limit - used : 0)
        }
        return available == .max ? 0 : available
    }

    /// `nil` when the file is absent or says `max`.
    private static func number(_ path: String) -> UInt64? {
        UInt64(read(path).split(separator: "\n").first ?? "")
    }

    /// The first page of a file that the kernel makes; empty when it cannot be read.
    private static func read(_ path: String) -> String {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return "" }
        defer { close(descriptor) }
        var bytes = [UInt8](repeating: 0, count: 4096)
        let count = Glibc.read(descriptor, &bytes, bytes.count)
        return String(decoding: bytes.prefix(max(0, count)), as: UTF8.self)
    }
}
